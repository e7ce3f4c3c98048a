//! An object store that fails, tears and dies on demand.
