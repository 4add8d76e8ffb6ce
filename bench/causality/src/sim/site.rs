//! One running program of a simulation: what of it is busy, and what waits for that.

use std::collections::{BTreeMap, VecDeque};

use super::workload::Service;
use crate::log::Recording;
use crate::random::Random;

pub(super) type TaskId = usize;
pub(super) type RequestId = usize;
pub(super) type ConnectionId = usize;

/// A program, and what its sidecar has seen.
#[derive(Debug)]
pub(super) struct Site<'w> {
    pub(super) service: &'w Service,
    pub(super) recording: Recording,
    cores_free: u32,
    paused: bool,
    ready: VecDeque<TaskId>,
    /// The numbers of free workers; those without bound share number 0.
    workers_free: Vec<u32>,
    /// Requests that wait for a worker.
    backlog: VecDeque<RequestId>,
    executor_free: u32,
    executor_backlog: VecDeque<TaskId>,
    /// Connections to callees that are kept, by process and callee.
    pub(super) pools: BTreeMap<(u32, usize), Vec<ConnectionId>>,
    /// Connections by which it is called that are kept.
    pub(super) inbound: Vec<ConnectionId>,
    /// The access token that it has, if it keeps one.
    pub(super) access_token: Option<u64>,
    /// How many connections its sidecar has numbered.
    pub(super) connections: u64,
}

impl<'w> Site<'w> {
    pub(super) fn new(service: &'w Service) -> Self {
        let server = &service.server;
        Self {
            service,
            recording: Recording::default(),
            cores_free: server.cores,
            paused: false,
            ready: VecDeque::new(),
            workers_free: (0..server.workers.unwrap_or(0)).collect(),
            backlog: VecDeque::new(),
            executor_free: server.executor.unwrap_or(0),
            executor_backlog: VecDeque::new(),
            pools: BTreeMap::new(),
            inbound: Vec::new(),
            access_token: None,
            connections: 0,
        }
    }

    /// A worker for a request, or it waits for one.
    pub(super) fn take_worker(&mut self, request: RequestId, random: &mut Random) -> Option<u32> {
        if self.service.server.workers.is_none() {
            return Some(0);
        }
        if self.workers_free.is_empty() {
            self.backlog.push_back(request);
            return None;
        }
        // which of several waiting processes the kernel wakes is its affair
        Some(
            self.workers_free
                .swap_remove(random.below(self.workers_free.len())),
        )
    }

    /// A worker is done; the request that it takes up next, if any waits.
    pub(super) fn free_worker(&mut self, worker: u32) -> Option<RequestId> {
        self.service.server.workers?;
        let next = self.backlog.pop_front();
        if next.is_none() {
            self.workers_free.push(worker);
        }
        next
    }

    /// Whether a thread of the executor is free for a task, which otherwise waits for one.
    pub(super) fn take_executor(&mut self, task: TaskId) -> bool {
        let free = self.executor_free > 0;
        if free {
            self.executor_free -= 1;
        } else {
            self.executor_backlog.push_back(task);
        }
        free
    }

    /// A thread of the executor is done; the task that it takes up next, if any waits.
    pub(super) fn free_executor(&mut self) -> Option<TaskId> {
        let next = self.executor_backlog.pop_front();
        if next.is_none() {
            self.executor_free += 1;
        }
        next
    }

    /// A task can run.
    pub(super) fn make_ready(&mut self, task: TaskId) {
        self.ready.push_back(task);
    }

    /// Whether others wait for a core.
    pub(super) fn is_contended(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The task that runs next, if a core is free for it.
    pub(super) fn take_core(&mut self, random: &mut Random) -> Option<TaskId> {
        if self.cores_free == 0 || self.paused {
            return None;
        }
        let next = if self.service.server.in_order {
            self.ready.pop_front()
        } else {
            self.ready.swap_remove_back(random.below(self.ready.len()))
        }?;
        self.cores_free -= 1;
        Some(next)
    }

    /// Nothing more runs, or everything may again.
    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// A core is free.
    pub(super) fn free_core(&mut self) {
        self.cores_free += 1;
    }
}
