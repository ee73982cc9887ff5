//! Addresses of a target, ranges, and the one trait through which its memory is read.
