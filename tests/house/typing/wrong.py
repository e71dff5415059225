"""What a user may write by mistake: mypy --strict and pyright object to each marked line, and to no other."""

from __future__ import annotations

from torch import nn
from torch.optim import Optimizer

import clrfast
from clrfast import Analysis, Log, Schedule, lr_scheduler, rules, schedules

clrfast.anything  # error
clrfast.schedules.trianglar(0.001, 0.006, 2000)  # error
clrfast.logs.raed("log.csv")  # error
clrfast.lr_schedulers.OneCycleLR  # error
clrfast.keras.OneCycleLR  # error
clrfast.dask.analyse("logs")  # error


def log_of(log: Log) -> None:
    log.analyze(betta=3)  # error
    log.analyze(beta="0.98")  # error
    log.lrs  # error
    Log(log.lr)  # error
    clrfast.analyze(log.lr, log.loss, threads="two")  # error
    rules.suggest("fastai_valley")  # error
    rules.compare(log.lr, log.loss, raw_losses=True)  # error


def found_in(analysis: Analysis) -> None:
    analysis.suggestion.highest_lr  # error
    analysis.suggestion.max_lr = 0.1  # error
    analysis.phases.turning_point  # error
    analysis.plot(axis=None)  # error
    analysis.suggestion.one_cycle("all")  # error


def made(rate: Schedule) -> None:
    schedules.triangular("0.001", 0.006, 2000)  # error
    schedules.one_cycle(0.1)  # error
    schedules.cosine(0.1, total_stesp=100)  # error
    schedules.cosine(0.1, total_steps=None)  # error
    clrfast.schedule(5, base_lr=0.001, max_lr=0.006)  # error
    clrfast.schedule(5, base_lr="low", max_lr=0.006, step_size_up=10)  # error
    rate(3).values  # error
    rate.then(0.1)  # error
    rate.scaled("half")  # error
    whole: int = rate(3)  # error
    print(whole)


def driven(model: nn.Module, optimizer: Optimizer, rate: Schedule) -> None:
    lr_scheduler.CylcicLR()  # error
    lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_step=100)  # error
    lr_scheduler.CyclicLR(optimizer, base_lr="low", max_lr=0.1)  # error
    lr_scheduler.ScheduleLR(optimizer, lr="0.1")  # error
    lr_scheduler.ScheduleLR(optimizer, rate).stepp()  # error
    clrfast.range_test(model, optimizer, nn.CrossEntropyLoss())  # error
