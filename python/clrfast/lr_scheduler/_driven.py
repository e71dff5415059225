"""What all schedulers here share: a step that the compiled core carries out, and torch's own contract."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from clrfast import _core
from clrfast.lr_scheduler import _history, _state
from clrfast.lr_scheduler._groups import like
from clrfast.lr_scheduler._plan import Hyperparameter, make_plan

_USE_LAST_LR = "To get the last learning rate computed by the scheduler, please use `get_last_lr()`."


class Driven(_core.Stepper, _history.WithHistory, LRScheduler):
    """A scheduler whose values are a closed form of the step; a step is one call of compiled code.

    Subclasses say in `_driven` what is driven, and by which curves. From that a plan is made, which holds as
    long as what it was made from: the Settings of the class, the lists in `_watched_lists`, and what the
    groups hold under the keys in `_group_keys`.
    """

    _group_keys: ClassVar[tuple[str, ...]] = ()
    # Attributes that a checkpoint does not hold.
    _unsaved: ClassVar[tuple[str, ...]] = ("optimizer",)
    # What the values in a checkpoint must be, besides torch's common ones.
    _rules: ClassVar[Mapping[str, _state.Rule]] = {}
    # Whether a step counts T_cur and T_i on, instead of _step_count.
    _counts_restarts: ClassVar[bool] = False

    def _driven(self) -> tuple[list[Callable[[Any], float]], list[Hyperparameter]]:
        """The curves, and the hyperparameters that are mixed from them; the learning rate comes first."""
        raise NotImplementedError

    def _watched_lists(self) -> list[list[Any]]:
        """The lists that `_driven` reads; what is changed in them is seen in the next step."""
        return [self.base_lrs]

    def _at(self) -> float:
        """What the curves are evaluated at now."""
        return self.last_epoch

    def _at_step(self, step: int) -> float:
        """What the curves are evaluated at in a step, wherever the run is."""
        return step

    def _last_step(self) -> int:
        """The last step that may be taken."""
        return _state.MOST_STEPS

    def _has_own_get_lr(self) -> bool:
        """Whether a subclass or the instance has its own get_lr, which is then called in every step."""
        return type(self).get_lr is not Driven.get_lr or "get_lr" in self.__dict__

    # Where there is no plan, torch's own step() runs: it warns about the order of the calls, pointing at the
    # user's line since no Python frame lies between, and calls _update_lr.
    _step_slowly = LRScheduler.step

    def _update_lr(self, epoch: float | None = None) -> None:
        before = self.last_epoch
        _state.check_step("step", before + 1 if epoch is None else epoch)
        if self._has_own_get_lr():
            return super()._update_lr(epoch)  # type: ignore[arg-type]
        self.last_epoch = before + 1 if epoch is None else epoch  # type: ignore[assignment]
        try:
            self._write_now()
        except BaseException:
            self.last_epoch = before
            raise

    def _write_now(self) -> None:
        """Write the values of the current step into the optimizer."""
        at = self._at()
        if self._write(at):
            return
        self._plan()
        if not self._write(at):
            raise RuntimeError("the parameter groups changed while a step was written into them")

    def _plan(self) -> None:
        """Make the plan that the next steps carry out."""
        curves, driven = self._driven()
        plan = make_plan(
            self.optimizer,
            curves,
            driven,
            watched_lists=self._watched_lists(),
            group_keys=self._group_keys,
            counts_restarts=self._counts_restarts,
            last_step=-1 if self._has_own_get_lr() else self._last_step(),
        )
        self._prepare(plan)

    def _drop_plan(self) -> None:
        """Something that the plan is made from is about to change."""
        values = self._values(None)
        if values is not None:
            if self._known_last_lr is None:
                self._known_last_lr = self._rates(values)
            self._forget()

    def _values_at(self, at: float) -> npt.NDArray[np.float64]:
        """All values, of shape (groups, hyperparameters), without writing them."""
        values = self._values(at)
        if values is None:
            self._plan()
            values = self._values(at)
            assert values is not None  # since the plan was just made
        return values

    def _history_at(self, steps: npt.NDArray[np.int64]) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
        values = np.stack([self._values_at(self._at_step(int(step))) for step in steps])
        for index, (place, mixes) in enumerate(self._driven()[1]):
            driven = np.array([mix is not None for mix in mixes])
            if driven.any():
                yield place.name, np.where(driven, values[:, :, index], np.nan)

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
        values = self._values_at(self._at())
        for (place, mixes), written in list(zip(self._driven()[1], values.T.tolist()))[1:]:
            for group, mix, value in zip(self.optimizer.param_groups, mixes, written):
                if mix is not None:
                    place.put(group, value)
        return self._rates(values)

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on later, in plain numbers, lists and strings."""
        state = {key: _state.plain(value) for key, value in self.__dict__.items() if key not in self._unsaved}
        return {**state, "_last_lr": _state.plain(self._last_lr)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state, and write its rates into the optimizer.

        Args:
            state_dict: What `state_dict` returned, here or of torch's class of the same name. It is not
                changed, and the optimizer's own state may be loaded before or after.

        Raises:
            ValueError: It holds what no state of this class can hold, as a `last_epoch` that is no step.
                Nothing is changed then.
        """
        state = {key: _state.plain(value) for key, value in state_dict.items()}
        _state.check(state, {**_state.COMMON, **self._rules})
        before = dict(self.__dict__)
        rates = self._known_last_lr
        try:
            self._restore(state)
            self._forget()
            if self.last_epoch >= 0:
                self._write_now()
        except BaseException as error:
            self.__dict__.clear()
            self.__dict__.update(before)
            self._forget()
            self._known_last_lr = rates
            if isinstance(error, KeyError):
                raise ValueError(f"the parameter groups must have {error}, which the state drives") from error
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
