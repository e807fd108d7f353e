"""All families, in the order of their files."""

from __future__ import annotations

import cases_chains  # noqa: F401
import cases_conv  # noqa: F401
import cases_dynamic  # noqa: F401
import cases_elementwise  # noqa: F401
import cases_matmul  # noqa: F401
import cases_movement  # noqa: F401
import cases_shared  # noqa: F401
import cases_types  # noqa: F401
import cases_winograd  # noqa: F401
from families import FAMILIES

__all__ = ["FAMILIES"]
