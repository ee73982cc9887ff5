//! Go's own structures: g, m, stacks, panics.
