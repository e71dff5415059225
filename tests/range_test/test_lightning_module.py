"""A LightningModule given as the model, before and after a fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import clrfast
from training_data import Net, copies, loader, weights

pl = pytest.importorskip("pytorch_lightning")


class Classifier(pl.LightningModule):
    def __init__(self, mapping: bool = False) -> None:
        super().__init__()
        self.net, self.mapping = Net(), mapping

    def training_step(self, batch: Any, index: int) -> Any:
        loss = F.cross_entropy(self.net(batch[0]), batch[1])
        self.log("loss", loss)
        self.log_dict({"twice": 2 * loss})
        return {"loss": loss} if self.mapping else loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=0.01)


class Short(Classifier):
    def training_step(self, batch: Any) -> Tensor:  # type: ignore[override]
        return super().training_step(batch, 0)


def fit(module: Any, folder: Path) -> Any:
    trainer = pl.Trainer(
        max_epochs=1,
        limit_train_batches=2,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
    )
    trainer.fit(module, loader())
    return trainer


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("make", [Classifier, Short, lambda: Classifier(mapping=True)])
@pytest.mark.filterwarnings("ignore:::pytorch_lightning")
def test_its_training_step_makes_the_loss(make: Any, fitted: bool, tmp_path: Path) -> None:
    module = make()
    trainer = fit(module, tmp_path) if fitted else None
    optimizer = module.configure_optimizers()
    before, attributes = weights(module), dict(vars(module))
    torch.manual_seed(0)
    with copies() as sizes:
        log = clrfast.range_test(module, optimizer, None, loader(), steps=20)
    assert max(sizes) <= 1024  # of the data set, nothing
    assert weights(module) == before
    assert vars(module) == attributes
    assert module._trainer is trainer
    torch.manual_seed(0)
    plain = clrfast.range_test(module.net, optimizer, F.cross_entropy, loader(), steps=20)
    np.testing.assert_array_equal(log.loss, plain.loss)


def test_what_it_asks_of_a_trainer_is_an_error_of_lightning() -> None:
    class Asking(Classifier):
        def training_step(self, batch: Any, index: int) -> Any:
            return super().training_step(batch, self.trainer.global_step)

    module = Asking()
    with pytest.raises(RuntimeError, match="is not attached to a `Trainer`"):
        clrfast.range_test(module, module.configure_optimizers(), None, loader(), steps=20)
    assert "log" not in vars(module)
