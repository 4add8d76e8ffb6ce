//! What programs do, and how they get cores for it.
#![allow(
    clippy::indexing_slicing,
    reason = "every index is one that the world gave out; nothing here comes from the wire"
)]

use std::vec::IntoIter;

use super::{Stage, Task, Then, What, World};
use crate::sim::plan::{Op, plan};
use crate::sim::site::{RequestId, TaskId};

impl World<'_> {
    pub(super) fn task(
        &mut self,
        site: usize,
        request: Option<RequestId>,
        worker: u32,
        ops: IntoIter<Op>,
        then: Then,
    ) -> TaskId {
        self.tasks.push(Task {
            site,
            request,
            worker,
            ops,
            stage: Stage::Run,
            work: 0,
            then,
            children: 0,
        });
        self.tasks.len() - 1
    }

    /// What a task waited for is there: it can run once the operating system has seen to it.
    pub(super) fn wake(&mut self, task: TaskId) {
        let server = &self.sites[self.tasks[task].site].service.server;
        self.tasks[task].work += server.resume.draw(&mut self.random);
        let wake = server.wake.draw(&mut self.random);
        self.at(wake, What::Ready(task));
    }

    /// Puts tasks onto cores while there are both.
    pub(super) fn dispatch(&mut self, site: usize) {
        while let Some(task) = self.sites[site].take_core(&mut self.random) {
            self.give_core(task);
        }
    }

    pub(super) fn give_core(&mut self, task: TaskId) {
        let quantum = self.sites[self.tasks[task].site].service.server.quantum;
        let burst = self.tasks[task].work.min(quantum);
        self.tasks[task].work -= burst;
        self.at(burst, What::Burst(task));
    }

    pub(super) fn burst(&mut self, id: TaskId) {
        let site = self.tasks[id].site;
        if self.tasks[id].work > 0 {
            if !self.sites[site].is_contended() {
                return self.give_core(id);
            }
            self.sites[site].make_ready(id);
        } else if self.go_on(id) {
            return;
        }
        self.sites[site].free_core();
        self.dispatch(site);
    }

    /// Does what comes next. True if that needs the core that the task has, false if it waits or is done.
    pub(super) fn go_on(&mut self, id: TaskId) -> bool {
        if let Stage::Send(flight) = self.tasks[id].stage {
            self.tasks[id].stage = Stage::Run;
            self.send(flight);
            return false;
        }
        let (site, request, worker) = {
            let task = &self.tasks[id];
            (task.site, task.request, task.worker)
        };
        loop {
            match self.tasks[id].ops.next() {
                Some(Op::Work(work)) => {
                    self.tasks[id].work = work;
                    self.give_core(id);
                    return true;
                }
                Some(Op::Wait(wait)) => {
                    let server = &self.sites[site].service.server;
                    let wake = server.wake.draw(&mut self.random);
                    self.tasks[id].work = server.resume.draw(&mut self.random);
                    self.at(wait + wake, What::Ready(id));
                    return false;
                }
                Some(Op::Call { callee, fails }) => {
                    self.call(id, callee, fails);
                    return false;
                }
                Some(Op::Head) => {
                    if let Some(request) = request {
                        self.respond_head(request);
                    }
                }
                Some(Op::Detach(ops)) => {
                    let task = self.task(site, request, worker, ops, Then::Nothing);
                    self.wake(task);
                }
                Some(Op::All(branches)) => {
                    self.tasks[id].children = branches.len();
                    for ops in branches {
                        let task = self.task(site, request, worker, ops, Then::Join(id));
                        self.wake(task);
                    }
                    return false;
                }
                None => {
                    match (self.tasks[id].then, request) {
                        (Then::Respond, Some(request)) => self.respond(request, worker),
                        (Then::Join(parent), _) => {
                            self.tasks[parent].children -= 1;
                            if self.tasks[parent].children == 0 {
                                self.wake(parent);
                            }
                        }
                        (Then::Respond | Then::Nothing, _) => {}
                    }
                    return false;
                }
            }
        }
    }

    /// What runs goes on to its end: a pause begins where the program can be stopped.
    pub(super) fn pause(&mut self, site: usize, paused: bool) {
        let Some((every, length)) = self.sites[site].service.server.pauses else {
            return;
        };
        self.sites[site].pause(paused);
        self.dispatch(site);
        let next = if paused { length } else { every };
        let after = next.draw(&mut self.random);
        self.at(
            after,
            What::Pause {
                site,
                paused: !paused,
            },
        );
    }

    pub(super) fn timer(&mut self, site: usize, timer: usize) {
        let service = self.sites[site].service;
        let spec = &service.timers[timer];
        if self.now > 0 {
            let ops = plan(&spec.steps, &service.callees, &mut self.random);
            let task = self.task(site, None, 0, ops, Then::Nothing);
            self.wake(task);
        }
        let every = spec.every.draw(&mut self.random);
        self.at(every, What::Timer { site, timer });
    }
}
