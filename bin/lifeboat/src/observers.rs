//! Lets the libraries tell how far they are, and ask whether to stop.

use backup_run::{RunEvent, RunObserver};
use disk_image::CopyObserver;
use repository::VerifyObserver;

use crate::interrupt;
use crate::ui::Progress;

impl CopyObserver for Progress {
    fn advanced(&self, bytes_of_disk: u64) {
        self.advance(bytes_of_disk, 0);
    }

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}

impl VerifyObserver for Progress {
    fn advanced(&self, bytes: u64) {
        self.advance(bytes, 0);
    }

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}

/// Hears everything and says nothing; lets itself be interrupted.
pub(crate) struct Silent;

impl CopyObserver for Silent {
    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}

impl VerifyObserver for Silent {
    fn advanced(&self, _bytes: u64) {}

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}

impl RunObserver for Silent {
    fn event(&self, _event: RunEvent<'_>) {}

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}
