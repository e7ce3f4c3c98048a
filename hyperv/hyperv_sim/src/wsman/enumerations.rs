//! Enumerations that wait to be pulled, bounded in number, bytes and time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use wmi::Instance;
use wmi::wsman::codec::{EnumerationMode, EnumerationPage};

use super::ServerOptions;
use super::failure::Failure;

/// What is left of an enumeration.
pub(super) struct Enumeration {
    /// The namespace of its instances.
    pub(super) namespace: String,
    /// What its items are.
    pub(super) mode: EnumerationMode,
    items: VecDeque<Item>,
    bytes: usize,
    /// Bytes of a page without items.
    frame_bytes: usize,
}

/// An instance, and the bytes it takes in an answer.
struct Item {
    instance: Instance,
    bytes: usize,
}

impl Enumeration {
    pub(super) fn new(namespace: &str, mode: EnumerationMode) -> Self {
        let mut enumeration = Self {
            namespace: namespace.to_owned(),
            mode,
            items: VecDeque::new(),
            bytes: 0,
            frame_bytes: 0,
        };
        enumeration.frame_bytes = enumeration.page_bytes(&EnumerationPage::default());
        enumeration
    }

    fn page_bytes(&self, page: &EnumerationPage) -> usize {
        let body = page.pull_response(&self.namespace, self.mode);
        body.to_xml().len()
    }

    /// Adds an instance.
    pub(super) fn push(&mut self, instance: Instance) {
        let page = EnumerationPage {
            instances: vec![instance],
            ..EnumerationPage::default()
        };
        let bytes = self.page_bytes(&page).saturating_sub(self.frame_bytes);
        let instances = page.instances.into_iter();
        self.items
            .extend(instances.map(|instance| Item { instance, bytes }));
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Returns the bytes of all items.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes as many items as may and as fit.
    ///
    /// Errors: `EnvelopeTooLarge` where not even one fits.
    fn take(&mut self, items_max: usize, bytes_max: usize) -> Result<EnumerationPage, Failure> {
        let mut page = EnumerationPage::default();
        let mut room = bytes_max;
        while page.instances.len() < items_max {
            let Some(item) = self.items.front() else {
                break;
            };
            let Some(rest) = room.checked_sub(item.bytes) else {
                break;
            };
            room = rest;
            self.bytes = self.bytes.saturating_sub(item.bytes);
            page.instances
                .extend(self.items.pop_front().map(|item| item.instance));
        }
        page.end = self.items.is_empty();
        match page.instances.is_empty() && !page.end && items_max > 0 {
            true => Err(Failure::EnvelopeTooLarge),
            false => Ok(page),
        }
    }
}

/// The enumerations of a service.
pub(super) struct Enumerations {
    open: Mutex<HashMap<String, Open>>,
}

struct Open {
    enumeration: Enumeration,
    expires: Timestamp,
}

impl Enumerations {
    pub(super) fn new() -> Self {
        Self {
            open: Mutex::new(HashMap::new()),
        }
    }

    /// Takes the first items of an enumeration, and keeps the rest under a new context.
    ///
    /// Errors: `Quota`, `EnvelopeTooLarge`.
    pub(super) fn begin(
        &self,
        mut enumeration: Enumeration,
        items_max: usize,
        bytes_max: usize,
        options: &ServerOptions,
    ) -> Result<EnumerationPage, Failure> {
        let mut page = enumeration.take(items_max, bytes_max)?;
        // An enumeration without items is still one that ends with a Pull, unless asked to be
        // answered at once.
        if !page.end || items_max == 0 {
            page.end = false;
            let mut open = self.open(options);
            let waiting = open.values().map(|one| one.enumeration.bytes);
            let waiting = waiting.fold(enumeration.bytes, usize::saturating_add);
            if open.len() >= options.enumerations_max || waiting > options.enumeration_bytes_max {
                return Err(Failure::Quota);
            }
            let context = super::new_name();
            open.insert(context.clone(), Open::until(enumeration, options));
            page.context = Some(context);
        }
        Ok(page)
    }

    /// Takes further items; returns them with the namespace and the mode of the enumeration.
    ///
    /// Errors: `Context`, `EnvelopeTooLarge`; after the latter the enumeration is over.
    pub(super) fn go_on(
        &self,
        context: &str,
        items_max: usize,
        bytes_max: usize,
        options: &ServerOptions,
    ) -> Result<(EnumerationPage, String, EnumerationMode), Failure> {
        let taken = self.open(options).remove(context);
        let mut enumeration = taken.ok_or(Failure::Context)?.enumeration;
        let mut page = enumeration.take(items_max, bytes_max)?;
        let (namespace, mode) = (enumeration.namespace.clone(), enumeration.mode);
        if !page.end {
            page.context = Some(context.to_owned());
            let open = Open::until(enumeration, options);
            self.open(options).insert(context.to_owned(), open);
        }
        Ok((page, namespace, mode))
    }

    /// Forgets an enumeration.
    ///
    /// Errors: `Context`.
    pub(super) fn release(&self, context: &str, options: &ServerOptions) -> Result<(), Failure> {
        let released = self.open(options).remove(context);
        released.map(drop).ok_or(Failure::Context)
    }

    /// Returns the enumerations that have not expired.
    fn open(&self, options: &ServerOptions) -> MutexGuard<'_, HashMap<String, Open>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let now = options.clock.now();
        open.retain(|_, one| one.expires > now);
        open
    }
}

impl Open {
    fn until(enumeration: Enumeration, options: &ServerOptions) -> Self {
        let now = options.clock.now();
        let expires = now.checked_add(options.enumeration_timeout);
        Self {
            enumeration,
            expires: expires.unwrap_or(Timestamp::MAX),
        }
    }
}
