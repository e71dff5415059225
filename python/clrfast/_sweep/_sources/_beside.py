"""Settings that stand beside a run's records: in files of known names, and in the names of folders."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from clrfast._require import require
from clrfast._sweep._run import SettingValue
from clrfast.logs._readers import FORMATS
from clrfast.logs._readers._files import OnDisk
from clrfast.logs._readers._json import flat
from clrfast.logs._readers._unpack import COMPRESSED

# In order of preference: the first that is there counts.
FILES = (
    *("params.json", "config.json", "hparams.json", "args.json", "training_args.json"),
    *("config.yaml", "hparams.yaml", "params.yaml", "args.yaml", ".hydra/config.yaml"),
)
_LARGEST = 1 << 20  # bytes; a configuration takes a few thousand
_MOST = 1000  # settings
_PAIR = re.compile(r"([A-Za-z_][\w./-]*)=([^,/=]+?)(?=[,/]|$)")


def settings_beside(folder: Path) -> dict[str, SettingValue]:
    """Return the settings of a run whose records are in `folder`, {} where there are none.

    Raises:
        ValueError: There is a file of settings, and it cannot be read.
    """
    there = {path.name for path in folder.iterdir()}
    for name in FILES:
        if name.partition("/")[0] in there and (folder / name).is_file():
            return settings_of(_load(folder / name))
    return {}


def settings_in_name(name: str) -> dict[str, SettingValue]:
    """Return the settings that a path like ``lr=0.1,batch_size=32`` names."""
    path = PurePath(name)
    while path.suffix.lower() in FORMATS or path.suffix.lower() in COMPRESSED:
        path = path.with_suffix("")
    return {key: _value(text.strip()) for key, text in _PAIR.findall(path.as_posix())}


def settings_of(nested: Mapping[str, Any]) -> dict[str, SettingValue]:
    """Return a configuration with what is nested in it at the top, numbers and words alone."""
    unwrapped = {
        str(key): value["value"] if isinstance(value, dict) and "value" in value else value
        for key, value in nested.items()
        if not str(key).startswith("_")
    }
    found = {
        name: value
        for name, value in flat(unwrapped).items()
        if value is None or isinstance(value, (bool, float, int, str))
    }
    return dict(list(found.items())[:_MOST])


def _load(path: Path) -> dict[str, Any]:
    with OnDisk(path) as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"{path}: larger than a configuration: more than {_LARGEST:,} bytes")
    try:
        found = json.loads(data) if path.suffix == ".json" else _yaml(data.decode("utf-8-sig"))
    except RecursionError as error:
        raise ValueError(f"{path}: nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: holds no settings by name")
    return found


def _yaml(text: str) -> Any:
    require("yaml", "reading settings from YAML", extra="logs")
    import yaml

    try:
        return yaml.load(text, Loader=_loader(may_hold_aliases="&" in text))
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {' '.join(str(error).split())}") from error


@functools.cache
def _loader(*, may_hold_aliases: bool) -> Any:
    """Return a loader of plain values alone: an alias could make a few lines a million.

    Only the one in Python can refuse them; libyaml's, where PyYAML has it, is ten times as fast.
    """
    import yaml

    base: Any = yaml.SafeLoader if may_hold_aliases else getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Plain(base):  # type: ignore[misc]
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.composer.ComposerError(None, None, "aliases are not read")
            return super().compose_node(parent, index)

    # What a framework's own classes were written as is taken for what it looks like.
    Plain.add_multi_constructor("", lambda loader, suffix, node: None)
    return Plain


def _value(text: str) -> SettingValue:
    try:
        return float(text)
    except ValueError:
        return text
