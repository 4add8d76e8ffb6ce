//! Requests in flight of which the engine has not been told: it need not know of any before a call asks for its cause,
//! and in most pods none ever does.

use causality::{Connection, Nanos, Request};
use span::SpanContext;

/// The most that wait. The engine, which has a bound of its own, is told of those beyond at once.
const WAITING_MAX: usize = 4096;

/// Places of requests in flight.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    places: Vec<Place>,
    vacant: Vec<usize>,
    /// How many the engine has not been told of.
    untold: usize,
}

/// What the engine is to be told of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Begun {
    pub(super) at: Nanos,
    pub(super) connection: Connection,
    pub(super) context: SpanContext,
}

#[derive(Debug)]
enum Place {
    Vacant,
    Untold(Begun),
    /// The engine has been told meanwhile, and knows it by this.
    Told(Request),
}

impl Waiting {
    /// A place for a request that has begun. `None` if there is no room.
    pub(super) fn begin(&mut self, begun: Begun) -> Option<usize> {
        let place = match self.vacant.pop() {
            Some(place) => place,
            None if self.places.len() < WAITING_MAX => {
                self.places.push(Place::Vacant);
                self.places.len() - 1
            }
            None => return None,
        };
        *self.places.get_mut(place)? = Place::Untold(begun);
        self.untold += 1;
        Some(place)
    }

    /// It has ended. What the engine knows it by, if it has been told.
    pub(super) fn end(&mut self, place: usize) -> Option<Request> {
        let ended = std::mem::replace(self.places.get_mut(place)?, Place::Vacant);
        self.vacant.push(place);
        match ended {
            Place::Told(request) => Some(request),
            Place::Untold(_) => {
                self.untold -= 1;
                None
            }
            Place::Vacant => None,
        }
    }

    /// Tells of all that it has not been told of, in the order in which they began.
    pub(super) fn tell(&mut self, mut tell: impl FnMut(Begun) -> Request) {
        if self.untold == 0 {
            return;
        }
        let mut untold: Vec<_> = self
            .places
            .iter_mut()
            .filter_map(|place| match *place {
                Place::Untold(begun) => Some((begun, place)),
                Place::Vacant | Place::Told(_) => None,
            })
            .collect();
        untold.sort_by_key(|(begun, _)| begun.at);
        for (begun, place) in untold {
            *place = Place::Told(tell(begun));
        }
        self.untold = 0;
    }
}

#[cfg(test)]
mod tests {
    use causality::{Engine, Inbound, Route, Settings, Trace};
    use span::{SpanId, TraceFlags, TraceId};

    use super::*;

    #[test]
    fn who_is_in_flight_when_it_is_asked_for_is_told_of_oldest_first_and_known_from_then_on() {
        let mut engine = Engine::<_, ()>::new(Settings::default());
        let mut waiting = Waiting::default();
        let begun = |at| Begun {
            at,
            connection: Connection(at),
            context: SpanContext {
                trace_id: TraceId::from_random(1),
                span_id: SpanId::from_random(at),
                flags: TraceFlags::SAMPLED,
            },
        };
        let first = waiting.begin(begun(1)).unwrap();
        let second = waiting.begin(begun(2)).unwrap();
        assert_eq!(waiting.end(first), None);
        let third = waiting.begin(begun(3)).unwrap();
        assert_eq!(third, first);
        let mut told = Vec::new();
        for _ in 0..2 {
            waiting.tell(|begun| {
                told.push(begun.at);
                let inbound = Inbound {
                    route: Route(0),
                    connection: begun.connection,
                    trace: Trace(0),
                    tokens: &[],
                };
                engine.begin(begun.at, inbound, begun.context)
            });
        }
        assert_eq!(told, [2, 3]);
        for place in [second, third] {
            engine.end(4, waiting.end(place).unwrap());
        }
        assert_eq!(engine.in_flight(), 0);
    }

    #[test]
    fn more_than_there_is_room_for_do_not_wait() {
        let mut waiting = Waiting::default();
        let begun = Begun {
            at: 1,
            connection: Connection(1),
            context: SpanContext {
                trace_id: TraceId::from_random(1),
                span_id: SpanId::from_random(1),
                flags: TraceFlags::SAMPLED,
            },
        };
        let places: Vec<_> = (0..=WAITING_MAX).map(|_| waiting.begin(begun)).collect();
        assert_eq!(places.iter().flatten().count(), WAITING_MAX);
        assert_eq!(waiting.end(places[0].unwrap()), None);
        assert!(waiting.begin(begun).is_some());
    }
}
