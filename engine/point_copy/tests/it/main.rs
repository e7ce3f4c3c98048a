//! Copies between small repositories.

mod copying;
mod repositories;
mod resuming;
