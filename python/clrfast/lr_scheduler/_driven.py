"""What all schedulers here share: the plan of what a step writes where, and torch's own contract."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from clrfast import _check, _core
from clrfast.lr_scheduler import _history, _tensors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NO_LIMIT = 2**62
_USE_LAST_LR = "To get the last learning rate computed by the scheduler, please use `get_last_lr()`."


class Mix(NamedTuple):
    """The value of one hyperparameter of one group: ``base + weight * curve``, and a second such term."""

    base: float
    source: int = 0
    weight: float = 0.0
    source2: int = 0
    weight2: float = 0.0


class Column(NamedTuple):
    """One hyperparameter of all groups; a group without a mix is left alone."""

    key: str
    slot: int  # which element of a tuple, as in betas, or -1
    mixes: Sequence[Mix | None]


class Setting:
    """An attribute in the instance's __dict__ that the plan is made from: setting it drops the plan."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        try:
            return instance.__dict__[self._name]
        except KeyError:
            raise AttributeError(
                f"'{type(instance).__name__}' object has no attribute '{self._name}'"
            ) from None

    def __set__(self, instance: Any, value: Any) -> None:
        instance._drop_plan()
        instance.__dict__[self._name] = value

    def __delete__(self, instance: Any) -> None:
        instance._drop_plan()
        del instance.__dict__[self._name]


def current(group: dict[str, Any], key: str, slot: int) -> Any:
    """What a group holds now under `key`, or the element `slot` of it."""
    return group[key] if slot < 0 else group[key][slot]


def own(group: dict[str, Any], key: str, slot: int, meant: Any, shared: dict[int, Any]) -> Any:
    """What a group holds; a tensor that is meant to hold something else for another group is copied first."""
    if meant is None and key not in group:
        return None
    if slot >= 0 and type(group[key]) is not tuple:
        group[key] = tuple(group[key])
    held = current(group, key, slot)
    if isinstance(held, Tensor) and shared.setdefault(id(held), meant) != meant:
        held = copy_of(held)
        group[key] = held if slot < 0 else (*group[key][:slot], held, *group[key][slot + 1 :])
    return held


def put(group: dict[str, Any], key: str, slot: int, value: Any) -> None:
    """Write a value into a group: a tensor is filled, anything else replaced."""
    now = current(group, key, slot)
    if isinstance(now, Tensor):
        now.fill_(float(value))
    elif slot < 0:
        group[key] = value
    else:
        group[key] = (*group[key][:slot], value, *group[key][slot + 1 :])


def like(old: Any, value: float) -> Any:
    """The value as what is there now: a new tensor for a tensor, else a float."""
    return torch.full_like(old, value, requires_grad=False) if isinstance(old, Tensor) else value


def copy_of(value: Any) -> Any:
    """The value, not shared where it is a tensor."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def plain(value: Any) -> Any:
    """The value without tensors, and without lists that somebody else holds: what a checkpoint is made of."""
    if isinstance(value, Tensor):
        return value.item()
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


class Driven(_core.Stepper, LRScheduler):
    """A scheduler whose values are a closed form of the step; a step is one call of compiled code.

    Subclasses say in `_columns` what is driven, and by which curves.
    """

    # The groups' own keys that `_columns` reads.
    _keys: ClassVar[tuple[str, ...]] = ()
    # Attributes that a checkpoint does not hold.
    _unsaved: ClassVar[tuple[str, ...]] = ("optimizer",)
    # Whether a step counts T_cur and T_i on, instead of _step_count.
    _restarts: ClassVar[bool] = False

    def _columns(self) -> tuple[list[Callable[[Any], float]], list[Column]]:
        """The curves, and the hyperparameters that are mixed from them; the learning rate comes first."""
        raise NotImplementedError

    def _watched(self) -> list[list[Any]]:
        """The lists that `_columns` reads; what is changed in them is seen in the next step."""
        return [self.base_lrs]

    def _at(self) -> float:
        """What the curves are evaluated at."""
        return self.last_epoch

    def _at_step(self, step: int) -> float:
        """What the curves are evaluated at in a step, wherever the run is."""
        return step

    def _natural_length(self) -> int:
        """How many steps a picture should show."""
        return 1000

    def _limit(self) -> int:
        """The last step that may be taken."""
        return _NO_LIMIT

    def _has_own_get_lr(self) -> bool:
        """Whether a subclass or the instance has its own get_lr, which is then called in every step."""
        return type(self).get_lr is not Driven.get_lr or "get_lr" in self.__dict__

    # Where nothing is prepared yet, torch's own step() runs: it warns about the order of the calls, pointing
    # at the user's line since no Python frame lies between, and calls _update_lr.
    _step_slowly = LRScheduler.step

    def _update_lr(self, epoch: float | None = None) -> None:
        if self._has_own_get_lr():
            return super()._update_lr(epoch)  # type: ignore[arg-type]
        before = self.last_epoch
        self.last_epoch = before + 1 if epoch is None else epoch  # type: ignore[assignment]
        try:
            self._drive()
        except BaseException:
            self.last_epoch = before
            raise

    def _drive(self) -> None:
        """Write the values of the current step into the optimizer."""
        at = self._at()
        if self._write(at):
            return
        self._make_plan()
        if not self._write(at):
            raise RuntimeError("the parameter groups changed while a step was written into them")

    def _make_plan(self) -> None:
        groups = self.optimizer.param_groups
        sources, columns = self._columns()
        shared: dict[int, Any] = {}
        places: list[_tensors.Place | None] = []
        targets: list[tuple[Any, ...] | None] = []
        for index, group in enumerate(groups):
            for column in columns:
                mix = column.mixes[index]
                held = own(group, column.key, column.slot, mix, shared)
                if mix is None:
                    places.append(None)
                    targets.append(None)
                else:
                    place = _tensors.place_of(held)
                    places.append(place)
                    targets.append((place.kind, *mix, place.tensor, place.address))
        values = np.zeros((len(groups), len(columns)))
        self._prepare(
            self.optimizer,
            [(column.key, column.slot) for column in columns],
            sources,
            targets,
            self._watched(),
            list(self._keys),
            _tensors.writer(places, values),
            values,
            places,
            self._restarts,
            -1 if self._has_own_get_lr() else self._limit(),
        )

    def _drop_plan(self) -> None:
        """Something that the plan is made from is about to change."""
        values = self._values(None)
        if values is not None:
            if self._known_last_lr is None:
                self._known_last_lr = self._rates(values)
            self._forget()

    def _values_now(self, at: float) -> npt.NDArray[np.float64]:
        """All values, of shape (groups, columns), without writing them."""
        values = self._values(at)
        if values is None:
            self._make_plan()
            values = self._values(at)
            assert values is not None  # since the plan was just made
        return values

    @property
    def history(self) -> dict[str, npt.NDArray[Any]]:
        """The run so far, from its step 0, also if it was resumed: at most 1,000 steps, evenly spread.

        The steps are an int64 array of shape (n,) under ``step``, and the values float64 arrays of shape
        (n, groups) under ``lr``, ``momentum``, ``beta1``, ...; NaN where a group is left alone. They are what
        the schedule gives, computed when asked for: keeping them costs neither time nor memory.
        """
        return _history.history(self)

    def plot(self, ax: Axes | None = None, *, name: str = "lr", steps: SupportsIndex | None = None) -> Axes:
        """Draw a hyperparameter against the step, and where the run is now (needs matplotlib).

        Args:
            ax: The axes to draw into; None makes new ones.
            name: Which one, by its name in `history`.
            steps: How many steps to draw; None means to the end, or a few cycles.

        Returns:
            The axes, never shown: call ``matplotlib.pyplot.show()`` for that.

        Raises:
            ValueError: Nothing of that name is driven.
        """
        return _history.plot(self, ax, name, steps)

    @property
    def _last_lr(self) -> list[float | Tensor]:
        """The rates of the last step, made only once somebody asks for them."""
        if self._known_last_lr is None:
            self._known_last_lr = self._rates(self._values(None))
        return self._known_last_lr

    @_last_lr.setter
    def _last_lr(self, rates: list[float | Tensor]) -> None:
        self._known_last_lr = rates

    def _rates(self, values: npt.NDArray[np.float64] | None) -> list[float | Tensor]:
        """The learning rates among all values, as tensors where the groups have tensors."""
        if values is None:
            raise AttributeError("no step has been taken yet")
        # Groups may have been added since; what is new has no rate yet.
        return [
            like(group["lr"], rate) for group, rate in zip(self.optimizer.param_groups, values[:, 0].tolist())
        ]

    def get_last_lr(self) -> list[float | Tensor]:
        """The rates of the last step, one a group: floats, or copies where the group holds a tensor."""
        return self._last_lr

    def get_lr(self) -> list[float | Tensor]:
        """The learning rates of the current step, one a group; as torch's, it writes the momentum.

        To look at the rates use `get_last_lr`: torch warns where this is called outside of a step.
        """
        if not self._get_lr_called_within_step:
            warnings.warn(_USE_LAST_LR, UserWarning, stacklevel=2)
        values = self._values_now(self._at())
        for column, written in list(zip(self._columns()[1], values.T.tolist()))[1:]:
            for group, mix, value in zip(self.optimizer.param_groups, column.mixes, written):
                if mix is not None:
                    put(group, column.key, column.slot, value)
        return self._rates(values)

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on later, in plain numbers, lists and strings."""
        state = {key: plain(value) for key, value in self.__dict__.items() if key not in self._unsaved}
        return {**state, "_last_lr": plain(self._last_lr)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state, and write its rates into the optimizer.

        Args:
            state_dict: What `state_dict` returned, here or of torch's class of the same name. It is not
                changed, and the optimizer's own state may be loaded before or after.
        """
        _check.real("last_epoch", state_dict.get("last_epoch", 0), least=-1)
        before = dict(self.__dict__)
        rates = self._known_last_lr
        try:
            self._restore({key: plain(value) for key, value in state_dict.items()})
            self._forget()
            if self.last_epoch >= 0:
                self._drive()
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            self._forget()
            self._known_last_lr = rates
            raise

    def _restore(self, state: dict[str, Any]) -> None:
        """Take over a state that is this scheduler's own to keep."""
        self._known_last_lr = state.pop("_last_lr", None)
        self.__dict__.update(state)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the plan, which is made again."""
        return {**self.__dict__, "_last_lr": getattr(self, "_last_lr", None)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what `__getstate__` gave."""
        state = dict(state)
        self._known_last_lr = state.pop("_last_lr")
        self.__dict__.update(state)
