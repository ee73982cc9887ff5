//! Every crash text that Go ever printed, into goroutines, frames, panics, signals and race reports.
