"""Claim: a step of a scheduler costs a fraction of what torch's costs.

The goals are 3 x less for 1 parameter group, 8 x for 28 and 10 x for 465, of numbers and of tensors alike.

Run: python benchmarks/scheduler_step.py [--distinct]
Torch's class and ours take turns, each with an optimizer of its own; torch's checks are all on. With
--distinct each group has bounds of its own, as in layer-wise decay.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import torch

from clrfast import lr_scheduler as ours
from timing import medians, statement

theirs = torch.optim.lr_scheduler
GOALS = {1: 3, 28: 8, 465: 10}


def optimizer(groups: int, tensors: bool, momentum: str, factors: list[float]) -> torch.optim.Optimizer:
    rates = [0.3 * factor for factor in factors]
    parameters: list[dict[str, Any]] = [
        {"params": [torch.nn.Parameter(torch.ones(1))], "lr": torch.tensor(rate) if tensors else rate}
        for rate in rates
    ]
    if momentum == "beta1":
        return torch.optim.AdamW(parameters)
    return torch.optim.SGD(parameters, lr=0.3, momentum=0.9)


def scheduler(module: Any, name: str, groups: int, tensors: bool, momentum: str, distinct: bool) -> Any:
    factors = [0.99**index if distinct else 1.0 for index in range(groups)]
    driven = optimizer(groups, tensors, momentum, factors)
    rates = [0.3 * factor for factor in factors]
    arguments: dict[str, dict[str, Any]] = {
        "CyclicLR": {"base_lr": [rate / 10 for rate in rates], "max_lr": rates, "step_size_up": 2000},
        "OneCycleLR": {"max_lr": rates, "total_steps": 10**8},
        "CosineAnnealingWarmRestarts": {"T_0": 1000, "T_mult": 2},
    }
    if name != "CosineAnnealingWarmRestarts":
        arguments[name]["cycle_momentum"] = momentum != "none"
    made = getattr(module, name)(driven, **arguments[name])
    driven._opt_called = True  # type: ignore[attr-defined] # as if the optimizer had stepped
    for _ in range(1000):  # the timed results are right, and the order of calls has been looked at
        made.step()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--distinct", action="store_true", help="each group has its own bounds")
    distinct = parser.parse_args().distinct
    warnings.filterwarnings("error")
    torch.set_num_threads(1)
    print(f"{'':28}{'groups':>7} {'rates':8}{'momentum':9}{'torch':>10}{'clrfast':>10}   ratio  goal")
    for name in ("CyclicLR", "OneCycleLR", "CosineAnnealingWarmRestarts"):
        for tensors in (False, True):
            for groups in (1, 28, 465):
                for momentum in ("none", "momentum", "beta1"):
                    if name == "CosineAnnealingWarmRestarts" and momentum != "none":
                        continue
                    pair = [scheduler(m, name, groups, tensors, momentum, distinct) for m in (theirs, ours)]
                    for mine, torchs in zip(pair[1].get_last_lr(), pair[0].get_last_lr()):
                        assert abs(float(mine) - float(torchs)) < 1e-6
                    repeats = max(20_000 // groups // (5 if tensors else 1), 10)
                    seconds = medians(
                        {
                            "torch": statement("step()", {"step": pair[0].step}, repeats // 10 + 1),
                            "clrfast": statement("step()", {"step": pair[1].step}, repeats),
                        }
                    )
                    ratio = seconds["torch"] / seconds["clrfast"]
                    goal = GOALS[groups]
                    print(
                        f"{name:28}{groups:7} {'tensors' if tensors else 'floats':8}{momentum:9}"
                        f"{seconds['torch'] * 1e6:8.2f}us{seconds['clrfast'] * 1e6:8.2f}us{ratio:7.1f} x"
                        f"{goal:5} x{'' if ratio >= goal else '  missed'}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
