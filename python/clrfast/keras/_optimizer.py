"""A Keras optimizer that looks like one of PyTorch's, as far as a range test and its checkpoint look."""

from __future__ import annotations

from typing import Any

import keras


def inner(optimizer: Any) -> Any:
    """Return the optimizer that a loss scaler stands around, or the optimizer itself."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def check_optimizer(model: Any) -> Any:
    """Return the optimizer of a compiled model.

    Raises:
        TypeError: `model` is no Keras model, or its optimizer's rate is a schedule.
        ValueError: It is not compiled.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {type(model).__name__}")
    if getattr(model, "optimizer", None) is None:
        raise ValueError("model must be compiled with an optimizer, got one that is not")
    if not hasattr(model.optimizer.learning_rate, "assign"):  # no variable, but what a function gave
        raise TypeError(
            "the optimizer's learning_rate must be a number, got a schedule or another function: "
            "compile the model with a number, and drive the rate by a callback"
        )
    return model.optimizer


class KerasOptimizer:
    """Stands for the optimizer of a model on PyTorch: one group, whose rate is the variable's own tensor.

    Args:
        model: A compiled model.

    Attributes:
        optimizer: The Keras optimizer.
        param_groups: As in `torch.optim`, for all trainable variables.
    """

    def __init__(self, model: Any) -> None:
        """Refuse what `check_optimizer` refuses."""
        self.optimizer = check_optimizer(model)
        self._model = model
        weights = [variable.value for variable in model.trainable_variables]
        self.param_groups = [{"params": weights, "lr": self.optimizer.learning_rate.value}]

    def step(self) -> None:
        """Refuse: a Keras model's `train_step` updates the weights."""
        raise RuntimeError("a Keras optimizer has no step() of its own: train with model.train_on_batch()")

    def state_dict(self) -> dict[str, Any]:
        """Return the values of the optimizer's variables, in the order that Keras saves them in."""
        values = {index: variable.value.detach() for index, variable in enumerate(self.optimizer.variables)}
        params = list(range(len(self.param_groups[0]["params"])))
        return {"state": values, "param_groups": [{"params": params}], "built": bool(self.optimizer.built)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Assign what `state_dict` returned, in another process too.

        Raises:
            ValueError: It is the state of another kind of optimizer.
        """
        if state["built"] and not self.optimizer.built:
            self.optimizer.build(self._model.trainable_variables)
        variables = self.optimizer.variables
        shapes = [tuple(value.shape) for value in state["state"].values()]
        if shapes != [tuple(variable.shape) for variable in variables]:
            raise ValueError(
                f"the optimizer must be the one that the state is of, got {len(variables)} variables, "
                f"where the state has {len(shapes)}, or other shapes"
            )
        for variable, value in zip(variables, state["state"].values()):
            variable.assign(value)
