//! `carom report`: a day of mail on a terminal.
//!
//! Not here: the figures and how they look (`stats`).

use super::deliveries::open_index;
use super::terminal::{self, Terminal, print};
use crate::clock;
use crate::clock::typed_time::{day, time};
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::index::Index;
use crate::stats::gather;
use crate::stats::period::{self, Period};
use crate::stats::render::ReportForm;
use crate::stats::render::console::Look;
use crate::store::Store;
use clap::Args;
use jiff::civil::Date;

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    carom report yesterday\n  \
    carom report --since 2h --top 5\n  \
    carom report 2026-01-31 --json")]
pub(crate) struct ReportArgs {
    /// today, yesterday, or a date like 2026-01-31 [default: today, or the latest day with
    /// deliveries]
    #[arg(value_name = "DAY", conflicts_with_all = ["since", "until"], value_parser = day)]
    day: Option<Date>,
    #[command(flatten)]
    period: PeriodArgs,
    /// Lines of each list
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
}

#[derive(Args, Debug)]
pub(crate) struct PeriodArgs {
    /// From this time on: RFC 3339, a date, 22:00, today, yesterday, or an age like 90m, 12h, 7d
    /// [default: the start of the day]
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Until this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
}

impl PeriodArgs {
    pub(crate) fn period(&self, index: Option<&Index>) -> Result<Period> {
        period::between(self.since, self.until, index)
    }
}

pub(crate) fn run(arguments: &ReportArgs, config: &Config, terminal: Terminal) -> Result<Exit> {
    let index = open_index(config)?;
    let period = match arguments.day {
        Some(day) => period::of_day(day)?,
        None => arguments.period.period(index.as_ref())?,
    };
    let mut figures = gather::of_host(index.as_ref(), config.hostname(), period)?;
    let store = Store::to_read(&config.store_path())?;
    if store.exists() {
        figures.unmatched_complaints = store.unmatched(period)?;
        figures.store = gather::of_store(&store, clock::now_ms())?;
    }
    let form = if terminal.json { ReportForm::Json } else { ReportForm::Console(look(arguments.top)) };
    print(form.render(&figures)?)
}

fn look(top: usize) -> Look {
    let width = terminal::width().unwrap_or(Look::default().width);
    Look { width, colour: terminal::has_colour(), top }
}
