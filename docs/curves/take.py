"""Takes the gallery's curves from what benchmarks/suggestion_rules has recorded.

Run: python benchmarks/suggestion_rules/run.py --held-out --parts short tests
     python docs/curves/take.py
The first range test of 200 steps of each problem, whatever it shows, and what trainings reach at 19 peaks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "benchmarks" / "suggestion_rules"))

from record import PEAKS, regrets  # noqa: E402 - found where the line above says

# Of many kinds, read well and badly; none was used to choose the rule.
NAMES = (
    "mnist_cnn_dropout_nesterov",
    "fashion_vit_adam",
    "wave_siren_adam",
    "digits_hinge_sgd",
    "mnist_mlp_sgd",
    "fashion_fresh_head_momentum",
    "fashion_rotated_finetune_momentum",
    "mnist_mlp_large_batch_adam",
    "code_transformer_finetune_adamw",
    "fashion_good_start_momentum",
    "wave_thousands_adam",
)
STEPS = 200


def main() -> None:
    """Write a log for each problem, and what its trainings lose at each peak into ../trainings.json."""
    lost = {"peaks": [float(f"{peak:.6g}") for peak in PEAKS]}
    for name in NAMES:
        record = json.loads((ROOT / "build" / "suggestion_rules" / f"{name}.json").read_text())
        test = next(test for test in record["tests"] if len(test["lr"]) == STEPS)
        rows = [f"{lr:.6g},{loss:.5g}\n" for lr, loss in zip(test["lr"], test["loss"])]
        (HERE / f"{name}.csv").write_text("lr,loss\n" + "".join(rows))
        lost[name] = [round(share, 4) for share in regrets(record["short"]).tolist()]
    (HERE.parent / "trainings.json").write_text(json.dumps(lost) + "\n")


if __name__ == "__main__":
    main()
