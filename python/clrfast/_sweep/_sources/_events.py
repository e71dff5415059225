"""What TensorBoard's hparams plugin left in event files: the settings of a run."""

from __future__ import annotations

from collections.abc import Sequence

from clrfast._require import require
from clrfast._sweep._run import SettingValue
from clrfast.logs._readers._files import File, Member, open_file

_MARK = b"_hparams_/session_start_info"
_LOOKED_AT = 1 << 22  # bytes: the plugin writes when a run starts


def hparams_of(paths: Sequence[File]) -> dict[str, SettingValue]:
    """Return the settings in a run's event files, {} where the plugin wrote none.

    Raises:
        ImportError: It did, and tensorboard, which can read them, is not installed.
    """
    for path in paths:
        if isinstance(path, Member):
            continue
        with open_file(path) as file:
            if _MARK not in file.read(_LOOKED_AT):
                continue
        found = _parsed(path)
        if found:
            return found
    return {}


def _parsed(path: File) -> dict[str, SettingValue]:
    require("tensorboard", "reading the settings that its hparams plugin left", extra="trackers")
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.plugins.hparams import plugin_data_pb2

    found: dict[str, SettingValue] = {}
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            if value.tag == _MARK.decode():
                data = plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
                for name, setting in data.session_start_info.hparams.items():
                    kind = setting.WhichOneof("kind")
                    found[name] = (
                        getattr(setting, kind)
                        if kind in ("bool_value", "number_value")
                        else (setting.string_value)
                    )
                return found
    return found
