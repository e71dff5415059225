"""Other libraries' range tests under their own names: to change to clrfast, change the import."""

from __future__ import annotations
