//! An engine that is told whatever a fuzzer's bytes say.

use std::collections::HashSet;

use causality::{
    Callee, Connection, Decision, Engine, Inbound, Outbound, Process, Route, Settings, Token, Trace,
};

/// Each four bytes are something that happens: what, to whom, with what, how long after what came before.
pub fn events(data: &[u8]) {
    let mut engine: Engine<u32, u32> = Engine::new(Settings::default());
    let (mut requests, mut calls) = (Vec::new(), Vec::new());
    let mut open = HashSet::new();
    let mut now = 0_u64;
    for (number, bytes) in (0_u32..).zip(data.chunks_exact(4)) {
        let &[what, who, with, after] = bytes else { return };
        now += u64::from(after) << (what >> 3);
        let which = usize::from(who);
        let tokens = [0, 1, 2].map(|place| Token {
            place,
            value: u64::from(with >> place),
        });
        let connection = Connection(u64::from(who));
        match what & 7 {
            0 => {
                let inbound = Inbound {
                    route: Route(u64::from(with & 3)),
                    connection,
                    trace: Trace(u64::from(with)),
                    tokens: &tokens,
                };
                requests.push(engine.begin(now, inbound, number));
            }
            1 => {
                let outbound = Outbound {
                    callee: Callee(u64::from(with & 3)),
                    connection,
                    forwarded: (with > 250).then_some(Trace(u64::from(who))),
                    tokens: &tokens,
                };
                let (call, decision) = engine.call(now, outbound, number);
                calls.push(call);
                if decision == Decision::Open {
                    open.insert(number);
                }
            }
            2 if !requests.is_empty() => {
                let request = requests.swap_remove(which % requests.len());
                engine.end(now, request);
            }
            3 if !calls.is_empty() => {
                let call = calls.swap_remove(which % calls.len());
                engine.end_call(now, call);
            }
            4 if !calls.is_empty() => engine.answered(now, &calls[which % calls.len()], &tokens),
            5 if !requests.is_empty() => {
                let request = &requests[which % requests.len()];
                if with & 1 == 0 {
                    engine.body_complete(now, request);
                } else {
                    engine.responded(now, request);
                }
            }
            6 => engine.owned(connection, Process(u32::from(with))),
            _ => resolve(&mut engine, now, &mut open),
        }
    }
    // nothing waits for longer than this
    resolve(&mut engine, now, &mut open);
    resolve(&mut engine, now + 60_000_000_000, &mut open);
    assert!(open.is_empty(), "{open:?} never got a last word");
}

fn resolve(engine: &mut Engine<u32, u32>, now: u64, open: &mut HashSet<u32>) {
    for word in engine.resolve(now) {
        assert!(open.remove(&word.call), "{} was not open", word.call);
        if let Ok(link) = word.link {
            let confidence = link.certainty.confidence();
            assert!((0.99..=1.0).contains(&confidence), "{link:?}");
        }
    }
}
