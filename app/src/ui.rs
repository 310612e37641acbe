//! The primitives that pages are made of; they know neither the router nor the server.

mod button;
mod chart;
mod copy;
mod dialog;
mod field;
mod panel;
mod pill;
mod states;
mod table;
mod time;
mod toast;
pub(crate) mod window;

pub(crate) use button::{Button, Kind, refusable_button, small_button};
pub(crate) use chart::{DayBars, TrendChart};
pub(crate) use copy::{CopyButton, copy_text, report as report_copied};
pub(crate) use dialog::Dialog;
pub(crate) use field::select_field;
pub(crate) use panel::{Heading, Panel, Segment, ShareBar, card};
pub(crate) use pill::{
    ChangePill, Pill, PolicyPill, SeverityPill, SourcePill, Tone, VerdictPill, verdict_tone,
};
pub(crate) use states::{Banner, Empty, Skeleton};
pub(crate) use table::table;
pub(crate) use time::{Clock, Time, every_second};
pub(crate) use toast::{ToastRegion, Toasts};
