//! Enumerations that wait to be pulled, bounded in number, bytes and time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use wmi::Instance;
use wmi::wsman::codec::{Element, EnumerationMode, EnumerationPage};

use super::ServerOptions;
use super::dress::dress_page;
use super::failure::Failure;

/// How the pages of an enumeration are written.
pub(super) struct PageForm {
    namespace: String,
    mode: EnumerationMode,
    is_projection: bool,
}

impl PageForm {
    /// Writes the body of an answer to Pull, or to Enumerate.
    pub(super) fn body(&self, page: &EnumerationPage, is_pull: bool) -> Element {
        let mut body = match is_pull {
            true => page.pull_response(&self.namespace, self.mode),
            false => page.enumerate_response(&self.namespace, self.mode),
        };
        dress_page(&mut body, self.is_projection);
        body
    }
}

/// What is left of an enumeration.
pub(super) struct Enumeration {
    /// The namespace of its instances.
    namespace: String,
    /// What its items are.
    mode: EnumerationMode,
    /// They are parts of instances.
    is_projection: bool,
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
    pub(super) fn new(namespace: &str, mode: EnumerationMode, is_projection: bool) -> Self {
        let mut enumeration = Self {
            namespace: namespace.to_owned(),
            mode,
            is_projection,
            items: VecDeque::new(),
            bytes: 0,
            frame_bytes: 0,
        };
        enumeration.frame_bytes = enumeration.page_bytes(&EnumerationPage::default());
        enumeration
    }

    /// Returns how pages of it are written.
    pub(super) fn form(&self) -> PageForm {
        PageForm {
            namespace: self.namespace.clone(),
            mode: self.mode,
            is_projection: self.is_projection,
        }
    }

    fn page_bytes(&self, page: &EnumerationPage) -> usize {
        self.form().body(page, true).to_xml().len()
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

    /// Takes further items; returns them with the way to write them.
    ///
    /// Errors: `Context`, `EnvelopeTooLarge`; after the latter the enumeration is over.
    pub(super) fn go_on(
        &self,
        context: &str,
        items_max: usize,
        bytes_max: usize,
        options: &ServerOptions,
    ) -> Result<(EnumerationPage, PageForm), Failure> {
        let taken = self.open(options).remove(context);
        let mut enumeration = taken.ok_or(Failure::Context)?.enumeration;
        let mut page = enumeration.take(items_max, bytes_max)?;
        let form = enumeration.form();
        if !page.end {
            page.context = Some(context.to_owned());
            let open = Open::until(enumeration, options);
            self.open(options).insert(context.to_owned(), open);
        }
        Ok((page, form))
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
