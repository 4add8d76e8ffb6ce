//! The inbound requests in flight, told to the engine only once somebody asks.
//!
//! Most pods make no calls, or forward their contexts, and nobody will ever ask what their requests cause. There a request
//! costs a place in a list. When a call without a context leaves, the engine is told of all that are in flight.

use causality::{Connection, Engine, Inbound, Nanos, Request, Route};
use span::SpanContext;

use super::causes::trace;

/// Requests by their places. There are as many as exchanges are open, which the taps bound for each connection.
#[derive(Debug, Default)]
pub(super) struct Flights {
    places: Vec<Flight>,
    vacant: Vec<usize>,
    /// How many are quiet.
    quiet: usize,
}

#[derive(Debug)]
enum Flight {
    Vacant,
    /// The engine does not know of it.
    Quiet(Quiet),
    /// It does.
    Told(Request),
}

/// What the engine is to be told of a request, if ever.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quiet {
    pub(super) begun: Nanos,
    pub(super) connection: Connection,
    pub(super) context: SpanContext,
}

impl Flights {
    /// A request begins of which nobody asks. Where its place is.
    pub(super) fn quiet(&mut self, quiet: Quiet) -> usize {
        self.quiet += 1;
        self.put(Flight::Quiet(quiet))
    }

    /// A request begins of which the engine has been told.
    pub(super) fn told(&mut self, request: Request) -> usize {
        self.put(Flight::Told(request))
    }

    /// What the engine knows a request by, if it does.
    pub(super) fn request(&self, place: usize) -> Option<&Request> {
        match self.places.get(place)? {
            Flight::Told(request) => Some(request),
            Flight::Vacant | Flight::Quiet(_) => None,
        }
    }

    /// Somebody asks: the engine is told of all requests that it does not know of, in the order in which they began.
    pub(super) fn wake<C>(&mut self, engine: &mut Engine<SpanContext, C>) {
        if std::mem::take(&mut self.quiet) == 0 {
            return;
        }
        let quiet = self.places.iter_mut().filter_map(|flight| match flight {
            Flight::Quiet(quiet) => Some((*quiet, flight)),
            Flight::Vacant | Flight::Told(_) => None,
        });
        let mut quiet: Vec<_> = quiet.collect();
        quiet.sort_by_key(|(quiet, _)| quiet.begun);
        for (quiet, flight) in quiet {
            let inbound = Inbound {
                route: Route(0),
                connection: quiet.connection,
                trace: trace(&quiet.context),
                tokens: &[],
            };
            let request = engine.begin(quiet.begun, inbound, quiet.context);
            engine.body_complete(quiet.begun, &request);
            *flight = Flight::Told(request);
        }
    }

    /// A request has ended.
    pub(super) fn end<C>(&mut self, engine: &mut Engine<SpanContext, C>, now: Nanos, place: usize) {
        let Some(flight) = self.places.get_mut(place) else {
            return;
        };
        match std::mem::replace(flight, Flight::Vacant) {
            Flight::Vacant => return,
            Flight::Quiet(_) => self.quiet = self.quiet.saturating_sub(1),
            Flight::Told(request) => engine.end(now, request),
        }
        self.vacant.push(place);
    }

    fn put(&mut self, flight: Flight) -> usize {
        if let Some(place) = self.vacant.pop()
            && let Some(vacant) = self.places.get_mut(place)
        {
            *vacant = flight;
            return place;
        }
        self.places.push(flight);
        self.places.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use causality::Settings;
    use span::{SpanId, TraceFlags, TraceId};

    use super::*;

    fn quiet(number: u64) -> Quiet {
        Quiet {
            begun: number,
            connection: Connection(number),
            context: SpanContext {
                trace_id: TraceId::from_u64(number).unwrap(),
                span_id: SpanId::from_u64(number).unwrap(),
                flags: TraceFlags::SAMPLED,
            },
        }
    }

    #[test]
    fn the_engine_knows_of_no_request_until_somebody_asks_and_then_of_all_that_are_in_flight() {
        let mut engine: Engine<SpanContext, ()> = Engine::new(Settings::default());
        let mut flights = Flights::default();
        let [first, second, third] = [3, 1, 2].map(|number| flights.quiet(quiet(number)));
        flights.end(&mut engine, 4, second);
        assert_eq!(engine.in_flight(), 0);
        assert!(flights.request(first).is_none());
        flights.wake(&mut engine);
        assert_eq!(engine.in_flight(), 2);
        assert!(flights.request(first).is_some() && flights.request(third).is_some());
        flights.wake(&mut engine);
        assert_eq!(engine.in_flight(), 2);
        for place in [first, third] {
            flights.end(&mut engine, 5, place);
        }
        assert_eq!((engine.in_flight(), flights.quiet), (0, 0));
    }

    #[test]
    fn a_place_is_taken_again_when_its_request_has_ended() {
        let mut engine: Engine<SpanContext, ()> = Engine::new(Settings::default());
        let mut flights = Flights::default();
        for number in 1..100 {
            let place = flights.quiet(quiet(number));
            flights.end(&mut engine, number, place);
        }
        assert_eq!(flights.places.len(), 1);
    }
}
