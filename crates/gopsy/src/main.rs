//! gopsy: why did this Go program die?
fn main() {}
