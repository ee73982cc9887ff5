//! Stacks of a Go program: frames by pclntab, inlined frames.
