//! Answers to queries and gets.

use wmi::{CIMV2, CLUSTER, Instance, ObjectPath, VIRTUALIZATION, WmiError, WmiErrorKind};

use super::edges::{Edge, association, edges, origins, origins_of_host};
use super::object::Object;
use super::objects::{Scope, find, no_class, objects, scope_of};
use super::project::project;
use super::schema::{self, Class};
use super::view::HostView;
use super::wql::{Associated, Condition, Literal, Operator, Query, Select, bad_query};

/// Answers a query.
///
/// Errors: `NoNamespace`, `NoClass`, `NotFound`, `BadQuery`.
pub(crate) fn answer(
    view: HostView<'_>,
    namespace: &str,
    query: &Query,
) -> Result<Vec<Instance>, WmiError> {
    let namespace = check_namespace(view, namespace)?;
    match query {
        Query::Select(select) => answer_select(view, namespace, select),
        Query::Associators(associated) => associators(view, associated),
        Query::References(associated) => references(view, associated),
    }
}

/// Gets the instance of a path.
///
/// Errors: `NoNamespace`, `NoClass`, `NotFound`.
pub(crate) fn get(view: HostView<'_>, path: &ObjectPath) -> Result<Instance, WmiError> {
    if !path.namespace().is_empty() {
        check_namespace(view, path.namespace())?;
    }
    let (object, instance) = find(view, path)?;
    let class = schema::class(object.class()).ok_or_else(|| no_class(object.class()))?;
    Ok(class.shape(&instance, &[], view.profile()))
}

/// Returns a namespace as it is known here; the cluster's is there where the host is in one.
pub(crate) fn check_namespace(
    view: HostView<'_>,
    namespace: &str,
) -> Result<&'static str, WmiError> {
    let wanted = namespace.replace('/', "\\");
    let known = [VIRTUALIZATION, CIMV2, CLUSTER];
    let exists = |own: &&str| match *own {
        CLUSTER => view.cluster().is_some(),
        VIRTUALIZATION => view.profile().has_v2_namespace(),
        _ => true,
    };
    known
        .into_iter()
        .find(|own| own.eq_ignore_ascii_case(&wanted) && exists(own))
        .ok_or_else(|| {
            let what = format!("there is no namespace {namespace}");
            WmiError::new(WmiErrorKind::NoNamespace, what).with_code(0x8004_100E)
        })
}

fn answer_select(
    view: HostView<'_>,
    namespace: &str,
    select: &Select,
) -> Result<Vec<Instance>, WmiError> {
    let profile = view.profile();
    let mut classes = schema::classes_of(namespace, &select.class);
    classes.retain(|class| class.exists_on(profile));
    if classes.is_empty() {
        return Err(no_class(&select.class));
    }
    check_properties(view, &classes, select)?;
    let condition = select.condition.as_ref();
    let scope = condition.map_or(Scope::All, |condition| scope_of_condition(view, condition));
    let fits = |instance: &Instance| condition.is_none_or(|own| own.holds(instance));
    let mut answer = Vec::new();
    for class in classes {
        let mut add = |instance: &Instance| {
            if fits(instance) {
                answer.push(class.shape(instance, &select.columns, profile));
            }
        };
        for object in objects(view, class, scope) {
            // Who asks for all settings is after those of VMs.
            let describes_versions = matches!(object, Object::VersionSettings(_));
            if describes_versions && condition.is_none() {
                continue;
            }
            if let Some(instance) = project(view, &object) {
                add(&instance);
            }
        }
        for instance in associations(view, class, scope) {
            add(&instance);
        }
    }
    Ok(answer)
}

/// Refuses properties that the class does not have on this host, as WMI does.
fn check_properties(
    view: HostView<'_>,
    classes: &[&Class],
    select: &Select,
) -> Result<(), WmiError> {
    let mut unknown = None;
    let mut check = |name: &str| {
        let known = |class: &&Class| class.has(name, view.profile());
        if !classes.iter().any(known) && !name.eq_ignore_ascii_case(&select.class) {
            unknown.get_or_insert_with(|| name.to_owned());
        }
    };
    for column in &select.columns {
        check(column);
    }
    if let Some(condition) = &select.condition {
        condition.each_property(&mut check);
    }
    match unknown {
        None => Ok(()),
        Some(name) => Err(bad_query(format!("{} has no {name}", select.class))),
    }
}

/// Returns which VM a condition is about, where it demands something of one GUID.
fn scope_of_condition(view: HostView<'_>, condition: &Condition) -> Scope {
    match condition {
        Condition::All(parts) => parts
            .iter()
            .map(|part| scope_of_condition(view, part))
            .find(|scope| *scope != Scope::All)
            .unwrap_or(Scope::All),
        Condition::Compare {
            property,
            operator,
            literal: Literal::Text(text),
        } if names_its_vm(property) => match operator {
            Operator::Equal => scope_of(view, text),
            // What stands before the first wildcard must be there as it is.
            Operator::Like => {
                let fixed = text.split(['%', '_', '[']).next().unwrap_or_default();
                scope_of(view, fixed)
            }
            _ => Scope::All,
        },
        _ => Scope::All,
    }
}

/// Returns whether a GUID in this property is one of the VM's, or of something that it has.
fn names_its_vm(property: &str) -> bool {
    const NAMING: [&str; 14] = [
        "InstanceID",
        "Name",
        "VirtualSystemIdentifier",
        "ConfigurationID",
        "SystemName",
        "DeviceID",
        "PrivateProperties.VmID",
        "ManagedElement",
        "SettingData",
        "GroupComponent",
        "PartComponent",
        "AffectedElement",
        "AffectingElement",
        "Antecedent",
    ];
    NAMING.iter().any(|own| own.eq_ignore_ascii_case(property))
}

/// Lists the instances of an association.
fn associations(view: HostView<'_>, class: &Class, scope: Scope) -> Vec<Instance> {
    let is_association = [
        "ManagedElement",
        "Antecedent",
        "GroupComponent",
        "AffectedElement",
    ]
    .iter()
    .any(|role| class.has(role, view.profile()));
    if !is_association {
        return Vec::new();
    }
    let planned = view.state.facts.planned.values().map(|own| &own.vm);
    let vms = view.state.vms.values().chain(planned);
    let vms = vms.filter(|vm| match scope {
        Scope::All => true,
        Scope::Vm(id) => id == vm.id,
        Scope::None => false,
    });
    let mut found = Vec::new();
    let of_host = match scope {
        Scope::Vm(_) => Vec::new(),
        Scope::All | Scope::None => origins_of_host(view),
    };
    let of_vms = vms.flat_map(|vm| origins(view, vm));
    for origin in of_vms.chain(of_host) {
        let Some(own) = project(view, &origin) else {
            continue;
        };
        let edges = edges(view, &origin).into_iter();
        let of_class = edges.filter(|edge| edge.is_forward && edge.association == class.name);
        found.extend(of_class.filter_map(|edge| association(view, &own, &edge)));
    }
    found
}

fn associators(view: HostView<'_>, asked: &Associated) -> Result<Vec<Instance>, WmiError> {
    let (_, edges) = fitting_edges(view, asked)?;
    let profile = view.profile();
    let mut seen = Vec::new();
    let mut answer = Vec::new();
    for edge in edges {
        let Some(class) = schema::class(edge.other.class()) else {
            continue;
        };
        let wanted = (asked.result_class.as_deref()).is_none_or(|wanted| class.is_a(wanted));
        // What is associated in two ways is still one object.
        if !wanted || !class.exists_on(profile) || seen.contains(&edge.other) {
            continue;
        }
        if let Some(instance) = project(view, &edge.other) {
            answer.push(class.shape(&instance, &[], profile));
        }
        seen.push(edge.other);
    }
    Ok(answer)
}

fn references(view: HostView<'_>, asked: &Associated) -> Result<Vec<Instance>, WmiError> {
    let (own, edges) = fitting_edges(view, asked)?;
    let profile = view.profile();
    let mut answer = Vec::new();
    for edge in edges {
        let Some(class) = schema::class(edge.association) else {
            continue;
        };
        let wanted = (asked.result_class.as_deref()).is_none_or(|wanted| class.is_a(wanted));
        if wanted && let Some(instance) = association(view, &own, &edge) {
            answer.push(class.shape(&instance, &[], profile));
        }
    }
    Ok(answer)
}

/// Returns the object's instance, and its relations that fit what was asked, result class aside.
fn fitting_edges(
    view: HostView<'_>,
    asked: &Associated,
) -> Result<(Instance, Vec<Edge>), WmiError> {
    for name in asked.association.iter().chain(&asked.result_class) {
        let exists = schema::classes_of(VIRTUALIZATION, name)
            .iter()
            .any(|class| class.exists_on(view.profile()));
        if !exists {
            return Err(no_class(name));
        }
    }
    let (object, own) = find(view, &asked.object)?;
    let is_role = |wanted: &Option<String>, role: &str| {
        wanted
            .as_deref()
            .is_none_or(|own| own.eq_ignore_ascii_case(role))
    };
    let fits = |edge: &Edge| {
        let class = schema::class(edge.association);
        class.is_some_and(|class| {
            class.exists_on(view.profile())
                && asked
                    .association
                    .as_deref()
                    .is_none_or(|own| class.is_a(own))
        }) && is_role(&asked.role, edge.own_role)
            && is_role(&asked.result_role, edge.other_role)
    };
    let edges = edges(view, &object).into_iter().filter(fits).collect();
    Ok((own, edges))
}
