//! `World`: one seed's simulation from the first boot to the last audit.

use std::backtrace::Backtrace;
use std::time::Duration;

use aquifer_hotlog::Health;
use aquifer_runtime::{Runtime, Shutdown, Task};
use aquifer_types::TimestampMs;

use crate::audit::audit;
use crate::clients::{Admin, Producer, Reader, Workplace};
use crate::dice::Dice;
use crate::machine::{Machine, Process};
use crate::network::Network;
use crate::oracle::Oracle;
use crate::plan::{End, LifePlan, Plan};
use crate::stream::Weather;
use crate::trace::{Told, Trace};

/// How often the world looks at what the disk and the node are up to.
const STEP: Duration = Duration::from_millis(1);
/// A node that takes longer to start, however long its recovery, does not start.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A node that takes longer to stop does not stop.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// Once faults have ceased everything must be served within this time.
const HEAL_LIMIT: Duration = Duration::from_secs(60);

/// What a simulation came to.
#[derive(Debug)]
pub struct Outcome {
    pub told: Told,
    pub lives: u64,
    pub power_losses: u64,
    pub acknowledged: u64,
    pub read: u64,
}

struct World {
    plan: Plan,
    runtime: Runtime,
    trace: Trace,
    oracle: Oracle,
    network: Network,
    machine: Machine,
    dice: Dice,
    lives: u64,
    power_losses: u64,
}

/// Why a life came to its end.
enum Ending {
    PowerLost,
    Over,
    /// The node cannot go on, so its process ends.
    Failed,
}

/// Runs the simulation of a seed.
pub fn simulate(seed: u64, aloud: bool) -> Outcome {
    let reactor = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a reactor without I/O");
    reactor.block_on(async {
        let runtime = Runtime::simulated(seed, TimestampMs(1_700_000_000_000));
        let trace = Trace::new(runtime.clone(), aloud);
        let panics = trace.clone();
        std::panic::set_hook(Box::new(move |panic| {
            // Of a panic that is caught too: no invariant may be violated.
            panics.fail("panic", format_args!("{panic}"));
            if aloud {
                eprintln!("{}", Backtrace::capture());
            }
        }));
        let mut world = World::new(Plan::draw(seed), runtime.clone(), trace);
        let clients = world.hire();
        world.run(clients).await;
        runtime.kill();
        world.outcome()
    })
}

impl World {
    fn new(plan: Plan, runtime: Runtime, trace: Trace) -> World {
        trace.note("world", format_args!("{plan:?}"));
        let network = Network::new(runtime.clone(), trace.clone(), Dice::of(plan.seed, "network"));
        World {
            oracle: Oracle::new(&plan.topics, trace.clone()),
            machine: Machine::new(0, &plan, &network, &trace, &runtime),
            dice: Dice::of(plan.seed, "world"),
            plan,
            runtime,
            trace,
            network,
            lives: 0,
            power_losses: 0,
        }
    }

    fn workplace(&self, finish: Shutdown) -> Workplace {
        Workplace {
            network: self.network.clone(),
            oracle: self.oracle.clone(),
            trace: self.trace.clone(),
            runtime: self.runtime.clone(),
            finish,
            bootstrap: self.machine.address(),
            seed: self.plan.seed,
        }
    }

    /// Sets all clients to work.
    fn hire(&self) -> (Shutdown, Vec<Task<()>>) {
        let finish = Shutdown::default();
        let place = self.workplace(finish.clone());
        let mut tasks = Vec::new();
        let admin = Admin {
            work: place.hire("admin".to_owned()),
            topics: self.plan.topics.clone(),
            changes: self.plan.admin,
            deletes: self.plan.deletes,
            given_up: Default::default(),
        };
        tasks.push(self.runtime.spawn("admin", admin.run()));
        for (number, plan) in (0..).zip(&self.plan.producers) {
            let work = place.hire(format!("producer{number}"));
            let topic = self.plan.topics[plan.topic].clone();
            let producer = Producer { work, number, plan: *plan, topic };
            tasks.push(self.runtime.spawn("producer", producer.run()));
        }
        for number in 0..self.plan.readers {
            let work = place.hire(format!("reader{number}"));
            let reader = Reader { work, topics: self.plan.topics.clone() };
            tasks.push(self.runtime.spawn("reader", reader.run()));
        }
        (finish, tasks)
    }

    async fn run(&mut self, (finish, tasks): (Shutdown, Vec<Task<()>>)) {
        for life in 1..=self.plan.lives {
            if self.trace.has_failed() {
                return;
            }
            self.live(&self.plan.life(life)).await;
        }
        if self.trace.has_failed() {
            return;
        }
        self.heal(finish, tasks).await;
    }

    async fn live(&mut self, life: &LifePlan) {
        self.lives += 1;
        self.trace.note("world", format_args!("life {}: {life:?}", self.lives));
        let weather = Weather {
            delays: self.plan.faults.delays,
            pieces: self.plan.faults.pieces,
            resets: self.plan.faults.resets,
        };
        if let End::PowerLoss { at } = life.end {
            self.machine.disk().lose_power_after(at);
        }
        let mut process = self.machine.start(life.error, weather);
        let ending = self.watch(&mut process, life).await;
        let had_errors = life.error.is_some();
        match (ending, life.end) {
            (Ending::PowerLost, _) | (Ending::Over, End::PowerLoss { .. }) => self.lose_power(process).await,
            (Ending::Failed, _) if had_errors && self.dice.one_in(2) => self.lose_power(process).await,
            (Ending::Failed, _) | (Ending::Over, End::Kill) => self.machine.kill(process).await,
            (Ending::Over, End::Stop) => {
                let name = self.machine.name();
                self.trace.note(&name, format_args!("is asked to stop"));
                if !self.machine.stop(process, STOP_LIMIT).await && !had_errors && life.full.is_none() {
                    self.trace.fail(&name, format_args!("does not stop"));
                }
            }
        }
        if had_errors {
            self.oracle.page_cache_lost();
        }
        self.trace.note(&self.machine.name(), format_args!("has ended"));
    }

    async fn lose_power(&mut self, process: Process) {
        self.power_losses += 1;
        self.trace.note(&self.machine.name(), format_args!("loses power"));
        self.machine.lose_power(process).await;
        self.oracle.page_cache_lost();
    }

    /// Watches a life until it ends.
    async fn watch(&mut self, process: &mut Process, life: &LifePlan) -> Ending {
        let began = self.runtime.now().monotonic;
        let jump_at = self.dice.millis(0..=300);
        let mut jump = self.plan.faults.clock_jumps.then(|| self.dice.within(0..=7_200_000));
        let mut over_at = None;
        let mut full = life.full;
        let mut heal_at = None;
        loop {
            if self.machine.disk().has_lost_power() {
                return Ending::PowerLost;
            }
            if self.trace.has_failed() {
                return Ending::Failed;
            }
            let age = self.runtime.now().monotonic.since(began);
            if process.node().is_none() {
                match self.runtime.timeout(STEP, process.started()).await {
                    Some(Ok(())) => {
                        self.trace.note(&self.machine.name(), format_args!("has started"));
                        self.machine.open_door(process);
                        over_at = Some(self.runtime.now().monotonic.plus(life.length));
                    }
                    Some(Err(error)) => {
                        if self.machine.disk().has_lost_power() {
                            return Ending::PowerLost;
                        }
                        self.not_started(&error, life);
                        return Ending::Failed;
                    }
                    None if age > START_LIMIT => {
                        self.not_started("it takes too long", life);
                        return Ending::Failed;
                    }
                    None => {}
                }
            } else {
                self.runtime.sleep(STEP).await;
            }
            if let Some(ending) = self.look_after(process, life).await {
                return ending;
            }
            if age >= jump_at
                && let Some(by) = jump.take()
            {
                let by = i64::try_from(by).unwrap_or(0) - 3_600_000;
                self.trace.note(&self.machine.name(), format_args!("wall clock jumps by {by} ms"));
                process.runtime.jump_wall_clock(by);
            }
            if let Some(filling) = full.filter(|full| age >= full.after) {
                full = None;
                heal_at = Some(age + filling.lasts);
                self.trace.note(&self.machine.name(), format_args!("disk fills up: {filling:?}"));
                self.machine.set_room(Some(filling.room_bytes));
            }
            if heal_at.is_some_and(|at| age >= at) {
                heal_at = None;
                self.trace.note(&self.machine.name(), format_args!("disk has room again"));
                self.machine.set_room(None);
            }
            let now = self.runtime.now().monotonic;
            if over_at.is_some_and(|over| now >= over) && heal_at.is_none() {
                return Ending::Over;
            }
        }
    }

    fn not_started(&self, error: &str, life: &LifePlan) {
        self.trace.note(&self.machine.name(), format_args!("does not start: {error}"));
        if life.error.is_none() && life.full.is_none() {
            self.trace.fail(&self.machine.name(), format_args!("does not start on a sound disk: {error}"));
        }
    }

    /// A node whose directory or quorum failed is restarted, as an operator or a supervisor does.
    async fn look_after(&self, process: &Process, life: &LifePlan) -> Option<Ending> {
        let node = process.node()?;
        let offline = node.probe().health() == Health::Offline;
        let failed = self.runtime.timeout(Duration::ZERO, node.failed()).await;
        if !offline && failed.is_none() {
            return None;
        }
        if self.machine.disk().has_lost_power() {
            return Some(Ending::PowerLost);
        }
        let why = failed.unwrap_or_else(|| "the directory is offline".to_owned());
        self.trace.note(&self.machine.name(), format_args!("cannot go on: {why}"));
        if life.error.is_none() {
            self.trace.fail(&self.machine.name(), format_args!("cannot go on without a device error: {why}"));
        }
        Some(Ending::Failed)
    }

    /// One more life without faults, in which everything must come to its end.
    async fn heal(&mut self, finish: Shutdown, tasks: Vec<Task<()>>) {
        self.lives += 1;
        self.trace.note("world", format_args!("faults have ceased"));
        let mut process = self.machine.start(None, Weather::default());
        let started = self.runtime.timeout(START_LIMIT, process.started()).await;
        match started {
            Some(Ok(())) => self.machine.open_door(&process),
            Some(Err(error)) => return self.not_started(&error, &LifePlan::quiet()),
            None => return self.not_started("it takes too long", &LifePlan::quiet()),
        }
        self.trace.note(&self.machine.name(), format_args!("has started"));
        finish.give();
        let all_done = async {
            for task in tasks {
                task.await;
            }
        };
        if self.runtime.timeout(HEAL_LIMIT, all_done).await.is_none() {
            self.trace.fail("world", format_args!("clients are still not served"));
            return;
        }
        if self.trace.has_failed() {
            return;
        }
        let auditor = self.workplace(finish).hire("auditor".to_owned());
        let audited = audit(&auditor, &self.plan.topics);
        if self.runtime.timeout(HEAL_LIMIT, audited).await.is_none() {
            self.trace.fail("world", format_args!("the audit takes too long"));
        }
        if !self.machine.stop(process, STOP_LIMIT).await {
            self.trace.fail(&self.machine.name(), format_args!("does not stop"));
        }
    }

    fn outcome(&self) -> Outcome {
        let oracle = self.oracle.state();
        Outcome {
            told: self.trace.told(),
            lives: self.lives,
            power_losses: self.power_losses,
            acknowledged: oracle.acknowledged,
            read: oracle.read,
        }
    }
}
