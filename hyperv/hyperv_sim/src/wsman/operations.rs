//! The operations: Enumerate, Pull, Release, Get and methods.

use wmi::wsman::codec::{
    Element, EnumerateRequest, MethodCall, PullRequest, ReleaseRequest, instance_element, names,
    output_element,
};
use wmi::{Instance, ObjectPath, Value, WmiError, WmiErrorKind, key_properties, quote};

use super::dress::{dress_instance, dress_references};
use super::enumerations::Enumeration;
use super::failure::Failure;
use super::request::Request;
use super::service::{Outcome, Service};

/// Parameters of one call.
const PARAMETERS_MAX: usize = 1000;

impl Service {
    /// Does what a request asks.
    pub(super) fn operate(&self, request: &Request) -> Result<Outcome, Failure> {
        let target = &request.header.target;
        match &*request.header.action {
            names::ACTION_ENUMERATE => self.enumerate(request, target),
            names::ACTION_PULL => self.pull(request),
            names::ACTION_RELEASE => self.release(request),
            names::ACTION_GET => self.get(target),
            action => match MethodCall::method_of_action(target, action) {
                Some(method) => self.invoke(request, target, method),
                None => Err(Failure::Action),
            },
        }
    }

    fn enumerate(&self, request: &Request, target: &ObjectPath) -> Result<Outcome, Failure> {
        let asked = EnumerateRequest::read(&request.envelope).map_err(of_body)?;
        let wql = match asked.wql {
            Some(wql) => wql,
            None if target.class() == "*" => return Err(Failure::ResourceUri),
            None => format!("SELECT * FROM {}", target.class()),
        };
        let options = self.options();
        let is_projection = is_projection(&wql);
        let mut enumeration = Enumeration::new(target.namespace(), asked.mode, is_projection);
        let form = enumeration.form();
        let mut is_too_much = false;
        let queried = self
            .session
            .query(target.namespace(), &wql, &mut |instance| {
                enumeration.push(instance);
                is_too_much = enumeration.bytes() > options.enumeration_bytes_max;
                match is_too_much {
                    true => Err(WmiError::new(WmiErrorKind::TooLarge, "too many instances")),
                    false => Ok(()),
                }
            });
        if is_too_much {
            return Err(Failure::Quota);
        }
        queried.map_err(|error| of_session(error, target, class_of_query(&wql)))?;
        let items_max = asked.elements_max.map_or(0, |most| self.batch(Some(most)));
        let page =
            self.enumerations
                .begin(enumeration, items_max, request.items_bytes_max(), options)?;
        Ok(Outcome {
            action: names::ACTION_ENUMERATE_RESPONSE.to_owned(),
            body: form.body(&page, false),
        })
    }

    fn pull(&self, request: &Request) -> Result<Outcome, Failure> {
        let asked = PullRequest::read(&request.envelope).map_err(of_body)?;
        let (page, form) = self.enumerations.go_on(
            &asked.context,
            self.batch(asked.elements_max),
            request.items_bytes_max(),
            self.options(),
        )?;
        Ok(Outcome {
            action: names::ACTION_PULL_RESPONSE.to_owned(),
            body: form.body(&page, true),
        })
    }

    /// Returns how many items an answer may hold: one, unless more are asked for.
    fn batch(&self, asked: Option<u32>) -> usize {
        let asked = asked.map_or(1, |most| usize::try_from(most).unwrap_or(usize::MAX));
        asked.clamp(1, self.options().batch_items_max)
    }

    fn release(&self, request: &Request) -> Result<Outcome, Failure> {
        let asked = ReleaseRequest::read(&request.envelope).map_err(of_body)?;
        self.enumerations.release(&asked.context, self.options())?;
        Ok(Outcome {
            action: names::ACTION_RELEASE_RESPONSE.to_owned(),
            body: Element::new(names::ENUMERATION, "ReleaseResponse"),
        })
    }

    fn get(&self, target: &ObjectPath) -> Result<Outcome, Failure> {
        let object = self.whole(target)?;
        let instance = match object {
            Found::Path(path) => {
                let got = self.session.get(&path);
                got.map_err(|error| of_session(error, target, target.class()))?
            }
            Found::Instance(instance) => instance,
        };
        let mut body = instance_element(target.namespace(), &instance);
        dress_instance(&mut body);
        Ok(Outcome {
            action: names::ACTION_GET_RESPONSE.to_owned(),
            body,
        })
    }

    fn invoke(
        &self,
        request: &Request,
        target: &ObjectPath,
        method: &str,
    ) -> Result<Outcome, Failure> {
        let call = MethodCall::read(request.envelope.body.as_ref(), method);
        let call = call.map_err(Failure::Malformed)?;
        if call.parameters.len() > PARAMETERS_MAX {
            let what = format!("more than {PARAMETERS_MAX} parameters");
            return Err(Failure::Malformed(WmiError::new(
                WmiErrorKind::TooLarge,
                what,
            )));
        }
        let failed = |error| of_session(error, target, target.class());
        let object = match self.whole(target)? {
            Found::Path(path) => path,
            Found::Instance(instance) => {
                instance.object_path(target.namespace()).map_err(failed)?
            }
        };
        let named = call.parameters.iter();
        let parameters: Vec<(&str, Value)> = named
            .map(|(name, value)| (&**name, value.clone()))
            .collect();
        let output = self
            .session
            .invoke(&object, method, &parameters)
            .map_err(failed)?;
        let mut body = output_element(target, method, &output);
        dress_references(&mut body);
        Ok(Outcome {
            action: format!("{}Response", request.header.action),
            body,
        })
    }

    /// Finds the object that selectors name. Clients leave out keys where the rest tells it
    /// already: libvirt names a service by `CreationClassName` alone, and a singleton by nothing.
    fn whole(&self, target: &ObjectPath) -> Result<Found, Failure> {
        let keys = key_properties(target.class());
        if keys.iter().all(|key| target.key(key).is_some()) && target.keys().count() == keys.len() {
            return Ok(Found::Path(target.clone()));
        }
        if !target.keys().all(|(name, _)| is_identifier(name)) || !is_identifier(target.class()) {
            return Err(Failure::ResourceUri);
        }
        let conditions: Vec<String> = target
            .keys()
            .map(|(name, value)| format!("{name} = {}", quote(value)))
            .collect();
        let mut wql = format!("SELECT * FROM {}", target.class());
        if !conditions.is_empty() {
            wql += &format!(" WHERE {}", conditions.join(" AND "));
        }
        let mut found: Vec<Instance> = Vec::new();
        let queried = self
            .session
            .query(target.namespace(), &wql, &mut |instance| {
                found.truncate(1);
                found.push(instance);
                Ok(())
            });
        queried.map_err(|error| of_session(error, target, target.class()))?;
        match (found.pop(), found.is_empty()) {
            (Some(instance), true) => Ok(Found::Instance(instance)),
            (Some(_), false) if conditions.is_empty() => Err(Failure::SelectorsMissing),
            (Some(_), false) => Err(Failure::SelectorsAmbiguous),
            (None, _) => {
                let error = WmiError::new(WmiErrorKind::NotFound, "no such object");
                Err(of_session(error, target, target.class()))
            }
        }
    }
}

/// An object that was asked for.
enum Found {
    /// By all its keys, and not looked for yet.
    Path(ObjectPath),
    /// By some of them.
    Instance(Instance),
}

fn of_session(error: WmiError, target: &ObjectPath, class: &str) -> Failure {
    Failure::Wmi {
        error,
        namespace: target.namespace().to_owned(),
        class: class.to_owned(),
    }
}

fn of_body(error: WmiError) -> Failure {
    match error.kind() {
        WmiErrorKind::BadQuery => Failure::FilterDialect,
        _ => Failure::Malformed(error),
    }
}

/// Returns the class of a query as far as a message to a person needs it.
fn class_of_query(wql: &str) -> &str {
    let mut words = wql.split_ascii_whitespace();
    let _ = words.find(|word| word.eq_ignore_ascii_case("from"));
    words.next().unwrap_or("*")
}

/// Returns whether a query asks for parts of instances.
fn is_projection(wql: &str) -> bool {
    let mut words = wql.split_ascii_whitespace();
    let selects = words
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("select"));
    selects && words.next() != Some("*")
}

fn is_identifier(text: &str) -> bool {
    let is_part = |one: char| one.is_ascii_alphanumeric() || one == '_';
    !text.is_empty() && text.chars().all(is_part)
}
