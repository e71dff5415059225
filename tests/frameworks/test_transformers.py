"""The range test in Hugging Face's Trainer, in real runs."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import clrfast
from training_data import Net, copies, dataset, weights

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")
from clrfast.frameworks.transformers import TransformersRangeTest  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs


class Classifier(nn.Module):
    """A model that makes its own loss."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Net()

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.net(x)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


def collate(rows: list[tuple[Tensor, Tensor]]) -> Any:
    x, labels = zip(*rows)
    return transformers.BatchEncoding({"x": torch.stack(x), "labels": torch.stack(labels)})


class Rates(transformers.TrainerCallback):
    """What a callback is told, with the rates."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, float]] = []

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("on_") or name == "on_init_end":
            return super().__getattribute__(name)
        return lambda args, state, control, optimizer=None, **_: self.rows.append(
            (name, state.global_step, optimizer.param_groups[0]["lr"])
        )


def trainer(folder: Path, *callbacks: Any, kind: Any = None, model: Any = None, **options: Any) -> Any:
    transformers.set_seed(0)
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        **{
            "max_steps": 8,
            "warmup_steps": 3,
            "per_device_train_batch_size": 16,
            "use_cpu": True,
            "report_to": [],
            "save_strategy": "no",
            "logging_steps": 1,
            "disable_tqdm": True,
            "remove_unused_columns": False,
            "learning_rate": 0.002,
            **options,
        },
    )
    return (kind or transformers.Trainer)(
        model or Classifier(),
        arguments,
        train_dataset=dataset(),
        data_collator=collate,
        callbacks=list(callbacks),
    )


def logged(state: Any) -> list[dict[str, float]]:
    """The history without what the clock says."""
    return [
        {key: value for key, value in row.items() if "runtime" not in key and "per_second" not in key}
        for row in state.log_history
    ]


class Doubled(transformers.Trainer):
    """A Trainer with a loss of its own, that logs and remembers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.calls = 0
        self.metrics: dict[str, Any] = {"train": defaultdict(list)}
        self.teacher = nn.Linear(1, 1)

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
        output = model(**inputs)
        self.calls += 1
        self.metrics["train"]["loss"].append(output["loss"].item())
        with torch.no_grad():
            self.teacher.weight.add_(1)
        self.log({"doubled": self.calls})
        return (2 * output["loss"], output) if return_outputs else 2 * output["loss"]


def tiny_bert() -> Any:
    """A Hugging Face model, which makes a loss of its labels, on what it reads from our numbers."""
    configuration = transformers.BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=3,
    )

    class Bert(transformers.BertForSequenceClassification):  # type: ignore[misc,name-defined]
        def forward(self, x: Tensor, labels: Any = None) -> Any:
            return super().forward(input_ids=(x.abs() * 10).long() % 50, labels=labels)

    return Bert(configuration)


@pytest.mark.parametrize(
    ("kind", "bert", "options"),
    [
        (None, False, {}),
        (None, True, {"gradient_accumulation_steps": 2, "label_smoothing_factor": 0.1}),
        (Doubled, False, {"gradient_accumulation_steps": 3, "max_grad_norm": 0.1}),
        (
            None,
            False,
            {"bf16": True, "lr_scheduler_type": "cosine", "max_steps": -1, "num_train_epochs": 0.01},
        ),
    ],
    ids=["plain", "bert", "subclass", "mixed"],
)
def test_training_is_as_without_the_test(tmp_path: Path, kind: Any, bert: bool, options: Any) -> None:
    found = []
    for tested in (False, True):
        heard, test = Rates(), TransformersRangeTest(steps=20)
        transformers.set_seed(0)
        model = tiny_bert() if bert else Classifier()
        callbacks = [heard, test] if tested else [heard]
        with copies() as sizes:
            it = trainer(tmp_path, *callbacks, kind=kind, model=model, **options)
            it.train()
        assert max(sizes, default=0) <= 40_000  # of the data set, nothing: Bert's positions are the largest
        counted = it.accelerator.step, it.accelerator.sync_gradients, it.state.total_flos
        own = [
            getattr(it, name, None) for name in ("calls", "metrics", "current_gradient_accumulation_steps")
        ]
        teacher = weights(it.teacher) if kind else None
        found.append((weights(model), logged(it.state), heard.rows, counted, own, teacher, "log" in vars(it)))
    assert test.log is not None
    assert 10 < len(test.log) <= 20
    for one, other in zip(*found):
        assert one == other


@pytest.mark.parametrize("batches", [1, 2])
def test_its_losses_are_those_of_a_plain_loop(tmp_path: Path, batches: int) -> None:
    class Remember(transformers.TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            before.append((torch.get_rng_state(), others["train_dataloader"]))

    before: list[Any] = []
    test = TransformersRangeTest(steps=30, end_lr=0.5)
    it = trainer(
        tmp_path, Remember(), test, gradient_accumulation_steps=batches, max_grad_norm=0.0, max_steps=1
    )
    it.train()
    transformers.set_seed(0)
    model = Classifier()
    torch.set_rng_state(before[0][0])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.002, weight_decay=0.0)
    log = clrfast.range_test(
        model, optimizer, None, Again(before[0][1]), steps=30, end_lr=0.5, accumulate=batches
    )
    assert test.log is not None
    np.testing.assert_array_equal(test.log.lr, log.lr)
    np.testing.assert_allclose(test.log.loss, log.loss, rtol=1e-6)


class Again:
    """A loader that has no more than its batches."""

    def __init__(self, prepared: Any) -> None:
        self.begin = prepared.__iter__

    def __iter__(self) -> Any:
        return self.begin()


@pytest.mark.parametrize("schedule", ["linear", "constant", "cosine_with_min_lr"])
def test_apply_trains_as_if_the_rate_had_been_there(tmp_path: Path, schedule: str) -> None:
    more = {"min_lr_rate": 0.1} if schedule == "cosine_with_min_lr" else {}
    options = {"lr_scheduler_type": schedule, "lr_scheduler_kwargs": more, "max_steps": 12}
    heard, others = Rates(), Rates()
    test = TransformersRangeTest(apply=True, steps=100)
    trainer(tmp_path, test, heard, **options).train()
    trainer(tmp_path, others, **{**options, "learning_rate": test.suggestion.max_lr}).train()
    assert [row[:2] for row in heard.rows] == [row[:2] for row in others.rows]
    assert [row[2] for row in heard.rows] == pytest.approx([row[2] for row in others.rows], rel=1e-12)
    assert max(row[2] for row in heard.rows) == test.suggestion.max_lr


def test_without_a_suggestion_the_rate_stays(tmp_path: Path) -> None:
    heard, others = Rates(), Rates()
    test = TransformersRangeTest(apply=True, steps=20, end_lr=1e-6)
    with pytest.warns(UserWarning, match="the learning rate stays as it is, because the log suggests none: "):
        trainer(tmp_path, test, heard).train()
    trainer(tmp_path, others).train()
    assert heard.rows == others.rows


def test_a_run_that_resumes_is_not_tested(tmp_path: Path) -> None:
    trainer(tmp_path, save_strategy="steps", save_steps=4, max_steps=4).train()
    test = TransformersRangeTest(steps=20)
    trainer(tmp_path, test, save_strategy="steps", save_steps=4).train(resume_from_checkpoint=True)
    assert test.log is None


@pytest.mark.parametrize("broken_at", [0, 7])
def test_an_error_leaves_everything_as_it_was(tmp_path: Path, broken_at: int) -> None:
    class Broken(Doubled):
        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            if self.calls == broken_at:
                raise KeyError("broken")
            return super().compute_loss(*args, **kwargs)

    it = trainer(tmp_path, TransformersRangeTest(steps=20), kind=Broken)
    before = weights(it.model), weights(it.teacher), str(it.metrics)
    with pytest.raises(KeyError, match="broken") as raised:
        it.train()
    assert (weights(it.model), weights(it.teacher), str(it.metrics)) == before
    assert it.calls == 0
    assert it.state.log_history == []
    assert it.optimizer.state_dict()["state"] == {}
    assert it.lr_scheduler.last_epoch == 0
    assert "log" not in vars(it)
    assert len(raised.value.clrfast_log) == broken_at


def test_a_trainer_must_call_it() -> None:
    state, control = transformers.TrainerState(), transformers.TrainerControl()
    with pytest.raises(RuntimeError, match="must be called by a Trainer"):
        TransformersRangeTest().on_train_begin(None, state, control)


def test_the_length_of_the_training_chooses_that_of_the_test(tmp_path: Path) -> None:
    test = TransformersRangeTest()
    with pytest.warns(UserWarning, match="up to 50 steps, more than a quarter of the 8 of the training"):
        trainer(tmp_path, test, gradient_accumulation_steps=2).train()
    assert test.log is not None
    assert test.log.lr[:3].tolist() == [1e-8, 1e-7, 1e-6]  # the gradients are there to be looked at
    assert "of 50 steps" in test.log.status or "all 50 steps" in test.log.status
