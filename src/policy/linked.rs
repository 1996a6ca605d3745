//! A component linked with what carom offers, and the interfaces that it exports: those that every
//! policy has, and `diagnosis`, `reception` and `sequence` where it has them.
//!
//! Not here: what is asked through them (`questions`, `classes`, `reception`, `sequence`).
//! Invariant: a component that exports an interface in another form than the WIT says is refused
//! when it is linked.

use super::bindings::carom::policy::{actions, facts, host, reports};
use super::bindings::optional::{Diagnosing, DiagnosingIndices};
use super::bindings::receiving::carom::policy::session;
use super::bindings::receiving::{Receiving, ReceivingIndices};
use super::bindings::several::{Several, SeveralIndices};
use super::bindings::{self, PolicyIndices};
use super::host::Host;
use std::collections::BTreeSet;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Engine, Result, Store};

/// The optional interfaces.
const DIAGNOSIS: &str = "carom:policy/diagnosis@1.1.0";
const RECEPTION: &str = "carom:policy/reception@1.1.0";
const SEQUENCE: &str = "carom:policy/sequence@1.1.0";

pub(crate) struct Linked {
    component: InstancePre<Host>,
    policy: PolicyIndices,
    diagnosis: Option<DiagnosingIndices>,
    reception: Option<ReceivingIndices>,
    sequence: Option<SeveralIndices>,
}

/// An instance, and its exports.
pub(crate) struct Guest {
    pub(crate) policy: bindings::Policy,
    pub(crate) diagnosis: Option<Diagnosing>,
    pub(crate) reception: Option<Receiving>,
    pub(crate) sequence: Option<Several>,
}

/// Offers the interfaces of `carom:policy` that a component imports: most need but some, and each
/// costs time.
pub(crate) fn offer(linker: &mut Linker<Host>, engine: &Engine, component: &Component) -> Result<()> {
    let form = component.component_type();
    // Of one interface it may import several versions.
    let imported: BTreeSet<&str> =
        form.imports(engine).map(|(name, _)| name.split('@').next().unwrap_or(name)).collect();
    for interface in imported {
        match interface.strip_prefix("carom:policy/") {
            Some("facts") => facts::add_to_linker::<_, HasSelf<Host>>(linker, |host| host)?,
            Some("reports") => reports::add_to_linker::<_, HasSelf<Host>>(linker, |host| host)?,
            Some("actions") => actions::add_to_linker::<_, HasSelf<Host>>(linker, |host| host)?,
            Some("host") => host::add_to_linker::<_, HasSelf<Host>>(linker, |host| host)?,
            Some("session") => session::add_to_linker::<_, HasSelf<Host>>(linker, |host| host)?,
            _ => {}
        }
    }
    Ok(())
}

impl Linked {
    pub(crate) fn new(component: InstancePre<Host>) -> Result<Linked> {
        let policy = PolicyIndices::new(&component)?;
        let exports = |interface| component.component().get_export_index(None, interface).is_some();
        let diagnosis = exports(DIAGNOSIS).then(|| DiagnosingIndices::new(&component)).transpose()?;
        let reception = exports(RECEPTION).then(|| ReceivingIndices::new(&component)).transpose()?;
        let sequence = exports(SEQUENCE).then(|| SeveralIndices::new(&component)).transpose()?;
        Ok(Linked { policy, diagnosis, reception, sequence, component })
    }

    /// Whether it answers in the SMTP dialogue.
    pub(crate) fn receives(&self) -> bool {
        self.reception.is_some()
    }

    /// Whether one instance decides about several failures.
    pub(crate) fn decides_several(&self) -> bool {
        self.sequence.is_some()
    }

    pub(crate) fn instantiate(&self, store: &mut Store<Host>) -> Result<Guest> {
        let instance = self.component.instantiate(&mut *store)?;
        let policy = self.policy.load(&mut *store, &instance)?;
        let diagnosis = self.diagnosis.as_ref().map(|found| found.load(&mut *store, &instance));
        let reception = self.reception.as_ref().map(|found| found.load(&mut *store, &instance));
        let sequence = self.sequence.as_ref().map(|found| found.load(&mut *store, &instance));
        let (diagnosis, reception) = (diagnosis.transpose()?, reception.transpose()?);
        Ok(Guest { policy, diagnosis, reception, sequence: sequence.transpose()? })
    }
}
