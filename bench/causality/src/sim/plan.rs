//! What one request will do: its route's steps with every choice made.

use std::vec::IntoIter;

use causality::Nanos;

use super::workload::{Callee, Step};
use crate::random::{Random, Span};

/// Tries of a call that fails, the first included.
const TRIES: u32 = 3;

/// One thing to do.
#[derive(Debug)]
pub(super) enum Op {
    /// Use a core for so long.
    Work(Nanos),
    /// Wait for so long.
    Wait(Nanos),
    /// Make this call, whose answer takes no time if it fails, and wait for it.
    Call { callee: usize, fails: bool },
    /// Do all of these at a time and wait for them.
    All(Vec<IntoIter<Op>>),
    /// Send the response's head.
    Head,
    /// Do these beside.
    Detach(IntoIter<Op>),
}

/// Makes every choice that the steps leave open.
pub(super) fn plan(steps: &[Step], callees: &[Callee], random: &mut Random) -> IntoIter<Op> {
    let mut ops = Vec::with_capacity(steps.len());
    add(&mut ops, steps, callees, random);
    ops.into_iter()
}

fn add(ops: &mut Vec<Op>, steps: &[Step], callees: &[Callee], random: &mut Random) {
    for step in steps {
        match step {
            Step::Work(span) => ops.push(Op::Work(span.draw(random))),
            Step::Wait(span) => ops.push(Op::Wait(span.draw(random))),
            Step::Call(callee) => call(ops, *callee, callees, random),
            Step::All(branches) => {
                let branches = branches.iter().map(|steps| plan(steps, callees, random));
                ops.push(Op::All(branches.collect()));
            }
            Step::Head => ops.push(Op::Head),
            Step::Detach(steps) => ops.push(Op::Detach(plan(steps, callees, random))),
            Step::Repeat(most, steps) => {
                for _ in 0..=random.below(*most) {
                    add(ops, steps, callees, random);
                }
            }
            Step::Maybe(share, steps) => {
                if random.chance(*share) {
                    add(ops, steps, callees, random);
                }
            }
        }
    }
}

fn call(ops: &mut Vec<Op>, callee: usize, callees: &[Callee], random: &mut Random) {
    let share = callees.get(callee).map_or(0.0, |callee| callee.fails);
    let mut pause = Span::LogNormal(2e6, 0.3);
    for _ in 1..TRIES {
        if !random.chance(share) {
            break;
        }
        ops.push(Op::Call { callee, fails: true });
        ops.push(Op::Wait(pause.draw(random)));
        pause = pause.times(2.0);
    }
    ops.push(Op::Call { callee, fails: false });
}
