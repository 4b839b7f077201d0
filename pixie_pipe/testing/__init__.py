"""Made-up data and conformance suites, for tests here and in plug-ins."""

from __future__ import annotations
