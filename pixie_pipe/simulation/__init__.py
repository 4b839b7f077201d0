"""A simulated measurement: sources, detectors, and the modules that read them.

From decays to words, in the order of the data: `sources` and `detectors` make deposits
of energy (`decays`), `pulses` turns them into what the ADC of a channel sees,
`processing` does what the FPGA does with it, `module` writes events as words, and
`fifo` holds them. `crate` puts them together; `template` repeats what was simulated.
"""

from __future__ import annotations
