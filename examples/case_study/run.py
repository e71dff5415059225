"""The tutorial's case study, rerun: cyclical rates, second trainings, layer groups, super-convergence.

Run: python examples/case_study/run.py [--quick] [--parts NAME ...]
Writes tables to OUT/report.md and pictures beside it. Each training is kept in a file of its own: after an
interrupt the same command goes on, and what has not changed is not trained again. Takes about half an
hour on two cores; `--quick` takes a minute or two, on scikit-learn's digits: it shows that all runs, no more.
Needs `pip install "clrfast[demo,keras]"`. Without Keras its trainings, without matplotlib the pictures are
left out, and so are data that are missing: each is named.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"  # before anything imports Keras

try:
    import torch
    import tqdm  # noqa: F401 - the demo's data need it, and so does this
except ImportError as error:
    sys.exit(f"the case study needs {error.name}, which is not installed: pip install 'clrfast[demo,keras]'")

import layer_groups
import second_training
import super_convergence
import tutorial
from study import Job, Study

from data import download_mnist, first_of

PARTS = {
    "tutorial": tutorial,
    "second-training": second_training,
    "layer-groups": layer_groups,
    "super-convergence": super_convergence,
}
TOOLS = ("torch", "keras")
OUT = Path(__file__).parents[2] / "build" / "case_study"


def tell(text: str) -> None:
    """Say something beside the report."""
    print(text, file=sys.stderr, flush=True)


def prepare(options: argparse.Namespace) -> Study:
    """Look for data and libraries, and name what is missing.

    Raises:
        FileNotFoundError: There is no data set at all.
    """
    frameworks = [f"in_{name}" for name in options.frameworks]
    if "in_keras" in frameworks:
        try:
            import in_keras  # noqa: F401
        except ImportError as error:
            frameworks.remove("in_keras")
            tell(f"left out Keras, which cannot be imported: {error}: pip install 'clrfast[keras]'")
    folder = options.data_dir
    names = ("digits",) if options.quick else ("mnist", "fashion", "digits5k", "digits")
    images, missing = first_of(names, folder)
    if "mnist" in missing and not options.no_download:
        try:
            download_mnist(folder)
            images, missing = first_of(names, folder)
        except FileNotFoundError as error:
            missing["mnist"] += f"; {error}"
    digits, reasons = first_of(() if options.quick else ("digits5k",), folder)
    harder, others = first_of(("digits",) if options.quick else ("fashion", *names), folder)
    for name, reason in {**missing, **reasons, **others}.items():
        tell(f"left out {name}: {reason}")
    if images is None or harder is None:
        raise FileNotFoundError("no images to train on: pip install scikit-learn")
    digits = None if digits == images else digits
    asked = (options.out, folder, options.quick, options.seeds)
    return Study(*asked, tuple(frameworks), images, digits, harder)


def work(study: Study, jobs: list[Job], workers: int) -> Iterator[str]:
    """Do all jobs, and yield the title of each that is done."""
    if workers == 1:
        yield from (job.run(study) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_begin) as pool:
        try:
            for done in as_completed([pool.submit(job.run, study) for job in jobs]):
                yield done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _begin() -> None:
    """Ctrl-C is answered by the first process, which ends the others; one thread each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="everything small")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="only these")
    parser.add_argument("--frameworks", nargs="+", choices=TOOLS, default=TOOLS, help="only these")
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="trainings of each kind: 5, or 3 of the ResNet"
    )
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes: 2")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where results are kept")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where MNIST and Fashion-MNIST are")
    parser.add_argument("--no-download", action="store_true", help="do not look for MNIST in the network")
    options = parser.parse_args()
    options.out = options.out or (OUT / "quick" if options.quick else OUT)
    if options.seeds is not None and options.seeds < 1:
        parser.error(f"argument --seeds: must be at least 1, got {options.seeds}")
    torch.set_num_threads(1)  # more gain little in networks this small
    try:
        study = prepare(options)
        begin = time.perf_counter()
        jobs = [job for part in options.parts for job in PARTS[part].jobs(study)]
        for count, title in enumerate(work(study, jobs, max(1, options.workers)), start=1):
            tell(f"{time.perf_counter() - begin:5.0f} s, {count} of {len(jobs)}: {title}")
    except FileNotFoundError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        tell(f"interrupted: {len(study.kept)} results are kept in {options.out}; the same command goes on")
        sys.exit(130)
    text = "\n\n".join(f"## {part}\n\n{PARTS[part].report(study)}" for part in options.parts)
    (options.out / "report.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    draw(study, options.parts)


def draw(study: Study, parts: list[str]) -> None:
    """Save the pictures, or say what they need."""
    try:
        import pictures
    except ImportError:
        tell("left out the pictures, which need matplotlib: pip install 'clrfast[plot]'")
        return
    for path in pictures.draw(study, parts):
        tell(f"saved {path}")


if __name__ == "__main__":
    main()
