"""One of two processes that train in frameworks, with and without a range test; tests start it twice.

python tests/framework_processes.py RANK PORT OUT FRAMEWORK...
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from training_data import Net, dataset, loader

OPTIONS = {"steps": 20, "end_lr": 0.3}


def hexadecimal(model: Any) -> list[str]:
    return [tensor.numpy().tobytes().hex() for tensor in model.state_dict().values()]


def lightning(tested: bool) -> Any:
    import pytorch_lightning as pl

    from clrfast.frameworks.lightning import LightningRangeTest

    class Classifier(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = Net()

        def training_step(self, batch: Any, index: int) -> Any:
            loss = F.cross_entropy(self.net(batch[0]), batch[1])
            self.log("loss", loss, sync_dist=True)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=0.01)

    torch.manual_seed(0)
    module, test = Classifier(), LightningRangeTest(**OPTIONS)
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        max_epochs=1,
        limit_train_batches=6,
        accumulate_grad_batches=2,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[test] if tested else [],
    )
    trainer.fit(module, loader())
    return module.net, test


def transformers(tested: bool) -> Any:
    import transformers

    from clrfast.frameworks.transformers import TransformersRangeTest

    class Classifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = Net()

        def forward(self, x: Any, labels: Any) -> Any:
            return {"loss": F.cross_entropy(self.net(x), labels)}

    transformers.set_seed(0)
    model, test = Classifier(), TransformersRangeTest(**OPTIONS)
    arguments = transformers.TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        max_steps=4,
        per_device_train_batch_size=16,
        gradient_accumulation_steps=2,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    data = [{"x": x, "labels": y} for x, y in dataset(400)]
    trainer = transformers.Trainer(model, arguments, train_dataset=data, callbacks=[test] if tested else [])
    trainer.train()
    return model.net, test


def accelerate(tested: bool) -> Any:
    import accelerate

    from clrfast.frameworks.accelerate import AccelerateRangeTest

    accelerate.state.AcceleratorState._reset_state()
    accelerate.state.GradientState._reset_state()
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
    torch.manual_seed(0)
    net = Net()
    model, optimizer, batches = accelerator.prepare(net, torch.optim.Adam(net.parameters()), loader())
    test = AccelerateRangeTest(accelerator, **OPTIONS)
    if tested:
        test.run(model, optimizer, F.cross_entropy, batches)
    for _, (x, y) in zip(range(6), batches):
        with accelerator.accumulate(model):
            accelerator.backward(F.cross_entropy(model(x), y))
            optimizer.step()
            optimizer.zero_grad()
    return net, test


def experiment(framework: str) -> dict[str, Any]:
    run = {"lightning": lightning, "transformers": transformers, "accelerate": accelerate}[framework]
    plain, _ = run(False)
    model, test = run(True)
    return {
        "lr": test.log.lr.tolist(),
        "loss": [float(loss).hex() for loss in test.log.loss],
        "as without": hexadecimal(model) == hexadecimal(plain),
        "weights": hexadecimal(model)[0],
    }


if __name__ == "__main__":
    rank, port, out, *frameworks = sys.argv[1:]
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "NODE_RANK": "0"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    Path(out).write_text(json.dumps({framework: experiment(framework) for framework in frameworks}))
