//! Write carom policies in Rust: implement [`Policy`] and pass the type to [`policy!`].
//!
//! ```ignore
//! struct AcceptAll;
//!
//! impl carom_policy::Policy for AcceptAll {
//!     fn decide() -> Result<(), String> {
//!         carom_policy::actions::accept();
//!         Ok(())
//!     }
//! }
//!
//! carom_policy::policy!(AcceptAll);
//! ```

mod heap;

pub use heap::Heap;

#[doc(hidden)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "complete-policy",
        pub_export_macro: true,
        default_bindings_module: "carom_policy::bindings",
    });
}

/// Apart, so that only a policy that answers in the SMTP dialogue exports it: each request asks
/// those that do.
#[doc(hidden)]
pub mod receiving {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package carom:sdk;
            world receiving {
                import carom:policy/session@1.1.0;
                export carom:policy/reception@1.1.0;
            }
        ",
        world: "carom:sdk/receiving",
        pub_export_macro: true,
        default_bindings_module: "carom_policy::receiving",
        generate_all,
    });
}

/// Apart, so that only a policy that keeps nothing of one failure for the next exports it.
#[doc(hidden)]
pub mod several {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package carom:sdk;
            world several {
                export carom:policy/sequence@1.1.0;
            }
        ",
        world: "carom:sdk/several",
        pub_export_macro: true,
        default_bindings_module: "carom_policy::several",
        generate_all,
    });
}

pub use bindings::carom::policy::{actions, facts, host, reports};
pub use bindings::exports::carom::policy::classification::{Class, Failure, Severity};
pub use bindings::exports::carom::policy::diagnosis;
pub use bindings::exports::carom::policy::mapping::Route;
pub use receiving::carom::policy::session;
pub use receiving::exports::carom::policy::reception;
pub use several::exports::carom::policy::sequence;

/// What a policy decides. Everything has a default, so a policy implements only what it needs.
pub trait Policy {
    /// Builds the action tree for the message. An error is a failure of the policy, not a verdict.
    fn decide() -> Result<(), String> {
        actions::accept();
        Ok(())
    }

    /// Whether a return path may be answered, and where. `hosts` are its mail exchangers, most
    /// preferred first.
    fn may_answer(_return_path: &str, _hosts: &[String]) -> Option<Route> {
        None
    }

    /// What each delivery failure means, in order.
    fn classify(failures: &[Failure]) -> Vec<Class> {
        failures.iter().map(|_| undetermined()).collect()
    }

    /// What each delivery failure means, and what it is about, in order. Without it, carom derives
    /// the latter from the reason of the class. A carom that offers only 1.0 asks `classify`
    /// instead.
    fn diagnose(failures: &[diagnosis::Failure]) -> Vec<diagnosis::Class> {
        let failures: Vec<Failure> = failures.iter().map(without_addresses).collect();
        Self::classify(&failures).into_iter().map(about_whatever_follows).collect()
    }

    /// What is wrong with these settings: one sentence each, with the remedy.
    fn validate(_settings: &str) -> Vec<String> {
        Vec::new()
    }

    /// Work done once, when the policy is installed. Every message starts from the memory as it is
    /// then.
    fn prepare() {}
}

/// What a policy answers in the SMTP dialogue, to `carom access`. Pass the type to [`reception!`],
/// beside [`policy!`].
pub trait Reception {
    /// What to answer. An error is a failure of the policy: carom answers as if it were not there.
    fn receive() -> Result<reception::Answer, String>;
}

/// What a policy decides about failures in the mail log, of which one instance is asked about several.
/// Pass the type to [`sequence!`], beside [`policy!`].
pub trait Sequence {
    /// Builds the action tree for the next failure, as [`Policy::decide`] would in a fresh instance.
    fn decide_next() -> Result<(), String>;
}

/// The class of a failure that says nothing.
pub fn undetermined() -> Class {
    Class {
        reason: "undetermined".into(),
        category: "other".into(),
        severity: Severity::Unknown,
        rule: String::new(),
    }
}

fn without_addresses(failure: &diagnosis::Failure) -> Failure {
    Failure {
        text: failure.text.clone(),
        status: failure.status.clone(),
        code: failure.code,
        stage: failure.stage.clone(),
        remote_mta: failure.remote_mta.clone(),
    }
}

fn about_whatever_follows(class: Class) -> diagnosis::Class {
    let severity = match class.severity {
        Severity::Hard => diagnosis::Severity::Hard,
        Severity::Soft => diagnosis::Severity::Soft,
        Severity::None => diagnosis::Severity::None,
        Severity::Unknown => diagnosis::Severity::Unknown,
    };
    let Class { reason, category, rule, .. } = class;
    diagnosis::Class { reason, category, severity, rule, about: None, evidence: None }
}

/// A step that starts right away.
pub fn now() -> actions::Schedule {
    actions::Schedule { after: None, delay: 0 }
}

/// A step that starts when `step` has ended with `outcome`.
pub fn after(step: u32, outcome: actions::Outcome) -> actions::Schedule {
    actions::Schedule { after: Some((step, outcome)), delay: 0 }
}

/// Lets carom say why a policy panics, and where: without it, the error could name only a trap.
#[doc(hidden)]
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| host::log(host::Level::Error, &panic.to_string())));
}

/// Makes a type that implements [`Policy`] the policy of this component. It exports something only
/// on WebAssembly, so that `cargo test` can run a policy's own logic as plain functions.
#[macro_export]
macro_rules! policy {
    ($policy:ty) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() -> ::core::result::Result<(), ::std::string::String> =
            <$policy as $crate::Policy>::decide;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::exports::carom::policy as exports;
            struct Component;
            impl exports::decision::Guest for Component {
                fn decide() -> Result<(), String> {
                    $crate::report_panics();
                    <$policy as $crate::Policy>::decide()
                }
            }
            impl exports::mapping::Guest for Component {
                fn may_answer(return_path: String, hosts: Vec<String>) -> Option<$crate::Route> {
                    $crate::report_panics();
                    <$policy as $crate::Policy>::may_answer(&return_path, &hosts)
                }
            }
            impl exports::classification::Guest for Component {
                fn classify(failures: Vec<$crate::Failure>) -> Vec<$crate::Class> {
                    $crate::report_panics();
                    <$policy as $crate::Policy>::classify(&failures)
                }
            }
            impl exports::diagnosis::Guest for Component {
                fn diagnose(failures: Vec<$crate::diagnosis::Failure>) -> Vec<$crate::diagnosis::Class> {
                    $crate::report_panics();
                    <$policy as $crate::Policy>::diagnose(&failures)
                }
            }
            impl exports::preparation::Guest for Component {
                fn prepare() {
                    <$policy as $crate::Policy>::prepare()
                }
            }
            impl exports::settings::Guest for Component {
                fn validate(settings: String) -> Vec<String> {
                    $crate::report_panics();
                    <$policy as $crate::Policy>::validate(&settings)
                }
            }
            $crate::bindings::export! { Component with_types_in $crate::bindings }
        };
    };
}

/// Makes a type that implements [`Reception`] the part of this component that answers in the SMTP
/// dialogue.
#[macro_export]
macro_rules! reception {
    ($reception:ty) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() -> ::core::result::Result<$crate::reception::Answer, ::std::string::String> =
            <$reception as $crate::Reception>::receive;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Receiver;
            impl $crate::reception::Guest for Receiver {
                fn receive() -> Result<$crate::reception::Answer, String> {
                    $crate::report_panics();
                    <$reception as $crate::Reception>::receive()
                }
            }
            $crate::receiving::export! { Receiver with_types_in $crate::receiving }
        };
    };
}

/// Makes a type that implements [`Sequence`] the part of this component that decides about several
/// failures.
#[macro_export]
macro_rules! sequence {
    ($sequence:ty) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() -> ::core::result::Result<(), ::std::string::String> =
            <$sequence as $crate::Sequence>::decide_next;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Next;
            impl $crate::sequence::Guest for Next {
                fn decide_next() -> Result<(), String> {
                    $crate::report_panics();
                    <$sequence as $crate::Sequence>::decide_next()
                }
            }
            $crate::several::export! { Next with_types_in $crate::several }
        };
    };
}
