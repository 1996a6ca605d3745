//! The nodes of a Cluster: which has a slot, and what is asked again of another one.
//!
//! Not here: connections (`server_connection`). Invariants: a command goes to the node that has the
//! slot of its first key; all that one question takes, redirections too, ends with its deadline.

use super::command_key::{SLOTS, first_key, slot_of};
use super::server_access::{ServerAccess, ServerAddress};
use super::server_connection::ServerConnection;
use super::server_fault::{accepted, unsettled};
use crate::deadline::Deadline;
use crate::error::Result;
use redis::{Cmd, FromRedisValue, Value};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::time::Duration;

/// Before asking nodes again that are not ready.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct ClusterNodes {
    access: ServerAccess,
    /// Nodes to begin with.
    first: Vec<ServerAddress>,
    open: FxHashMap<ServerAddress, ServerConnection>,
    /// The last slot of each range, and who has it.
    owners: BTreeMap<u16, ServerAddress>,
    /// A question had no answer: others would wait as long.
    has_failed: bool,
    /// Why a node could not do what was asked last.
    refusal: Option<Value>,
}

/// What becomes of a command after an answer.
enum Next {
    Done(Value),
    /// The Cluster has changed.
    Again,
    /// The node cannot do it yet.
    Later(Value),
    /// This node has it while the slot moves.
    Ask(ServerAddress),
}

impl ClusterNodes {
    pub(super) fn open(first: Vec<ServerAddress>, access: ServerAccess) -> Result<ClusterNodes> {
        let mut nodes = ClusterNodes {
            access,
            first,
            open: FxHashMap::default(),
            owners: BTreeMap::new(),
            has_failed: false,
            refusal: None,
        };
        nodes.learn(Deadline::after(nodes.access.timeout))?;
        Ok(nodes)
    }

    /// Asks all, each the node that has its key, and waits for all answers. A node that fails is an
    /// error: whoever asks next begins with those that live.
    pub(super) fn ask(&mut self, commands: &[Cmd], until: Deadline) -> Result<Vec<Value>> {
        if self.has_failed {
            return Err(unsettled());
        }
        self.refusal = None;
        let answers = self.ask_until(commands, until);
        self.has_failed = answers.is_err();
        answers.map_err(|error| self.refusal.take().and_then(|why| accepted(why).err()).unwrap_or(error))
    }

    fn ask_until(&mut self, commands: &[Cmd], until: Deadline) -> Result<Vec<Value>> {
        let mut answers: Vec<Option<Value>> = vec![None; commands.len()];
        loop {
            let left: Vec<usize> = (0..commands.len()).filter(|number| answers[*number].is_none()).collect();
            if left.is_empty() {
                return Ok(answers.into_iter().flatten().collect());
            }
            if until.passed() {
                return Err(unsettled());
            }
            self.ask_once(commands, &left, &mut answers, until)?;
            if answers.iter().any(Option::is_none) {
                std::thread::sleep(PAUSE.min(until.left()));
                self.learn(until)?;
            }
        }
    }

    /// Asks these commands; those that are to be asked again get no answer.
    fn ask_once(
        &mut self,
        commands: &[Cmd],
        which: &[usize],
        answers: &mut [Option<Value>],
        until: Deadline,
    ) -> Result<()> {
        let mut of_node: FxHashMap<ServerAddress, Vec<usize>> = FxHashMap::default();
        for number in which {
            let slot = first_key(&commands[*number]).map_or(0, slot_of);
            let (_, owner) = self.owners.range(slot..).next().ok_or_else(unsettled)?;
            of_node.entry(owner.clone()).or_default().push(*number);
        }
        let mut faults = Vec::new();
        for (node, numbers) in &of_node {
            let theirs: Vec<Cmd> = numbers.iter().map(|number| commands[*number].clone()).collect();
            let sent = self.connected(node, until).and_then(|connection| connection.send(&theirs, until));
            faults.extend(sent.map_err(|error| (node.clone(), error)).err());
        }
        let mut moving = Vec::new();
        for (node, numbers) in &of_node {
            let Some(connection) = self.open.get_mut(node) else { continue };
            if faults.iter().any(|(faulty, _)| faulty == node) {
                continue;
            }
            for number in numbers {
                match connection.answer() {
                    Ok(answer) => match next(answer, node) {
                        Next::Done(answer) => answers[*number] = Some(answer),
                        Next::Again => {}
                        Next::Later(why) => self.refusal = Some(why),
                        Next::Ask(other) => moving.push((*number, other)),
                    },
                    Err(error) => {
                        faults.push((node.clone(), error));
                        break;
                    }
                }
            }
        }
        for (number, other) in moving {
            let asked = [redis::cmd("ASKING"), commands[number].clone()];
            let answer = self.connected(&other, until)?.ask(&asked, until)?.pop();
            match answer.map(|answer| next(answer, &other)) {
                Some(Next::Done(answer)) => answers[number] = Some(answer),
                Some(Next::Later(why)) => self.refusal = Some(why),
                Some(Next::Again | Next::Ask(_)) | None => {}
            }
        }
        faults.iter().for_each(|(node, _)| drop(self.open.remove(node)));
        faults.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }

    fn connected(&mut self, node: &ServerAddress, until: Deadline) -> Result<&mut ServerConnection> {
        if !self.open.contains_key(node) {
            let connection = ServerConnection::open(node, &self.access, until)?;
            self.open.insert(node.clone(), connection);
        }
        self.open.get_mut(node).ok_or_else(unsettled)
    }

    /// Learns from some node who has which slots.
    fn learn(&mut self, until: Deadline) -> Result<()> {
        let known: Vec<ServerAddress> =
            self.open.keys().chain(&self.first).chain(self.owners.values()).cloned().collect();
        let mut last = Err(unsettled());
        for (number, node) in known.iter().enumerate() {
            // One that hangs leaves time for the others.
            let share = until.left() / u32::try_from(known.len() - number).unwrap_or(1);
            match self.owners_by(node, until.within(share)) {
                Ok(owners) => {
                    self.owners = owners;
                    return Ok(());
                }
                Err(error) => {
                    self.open.remove(node);
                    last = Err(error);
                }
            }
        }
        last
    }

    fn owners_by(&mut self, node: &ServerAddress, until: Deadline) -> Result<BTreeMap<u16, ServerAddress>> {
        let asked = redis::cmd("CLUSTER").arg("SLOTS").to_owned();
        let answer = self.connected(node, until)?.ask(&[asked], until)?.pop().unwrap_or_default();
        let ranges = Vec::<Vec<Value>>::from_redis_value(accepted(answer)?).map_err(|_| unsettled())?;
        let owners: BTreeMap<u16, ServerAddress> =
            ranges.into_iter().filter_map(|range| owner(range, node)).collect();
        match owners.last_key_value() {
            Some((last, _)) if *last == SLOTS - 1 => Ok(owners),
            _ => Err(unsettled()),
        }
    }
}

/// The last slot of a range, and its master.
fn owner(range: Vec<Value>, asked: &ServerAddress) -> Option<(u16, ServerAddress)> {
    let mut parts = range.into_iter().skip(1);
    let last = u16::from_redis_value(parts.next()?).ok()?;
    let mut master = Vec::<Value>::from_redis_value(parts.next()?).ok()?.into_iter();
    let host = Option::<String>::from_redis_value(master.next()?).ok()?.unwrap_or_default();
    let port = u16::from_redis_value(master.next()?).ok()?;
    Some((last, address(&host, port, asked)))
}

/// A node that does not know its own address gives none: it is where it was asked.
fn address(host: &str, port: u16, asked: &ServerAddress) -> ServerAddress {
    let host = match (host, asked) {
        ("" | "?", ServerAddress::Tcp { host, .. }) => host.as_str(),
        (host, _) => host,
    };
    ServerAddress::Tcp { host: host.to_owned(), port }
}

fn next(answer: Value, asked: &ServerAddress) -> Next {
    let Value::ServerError(error) = &answer else { return Next::Done(answer) };
    match error.code() {
        "MOVED" => Next::Again,
        "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" => Next::Later(answer),
        // It was a master.
        "READONLY" => Next::Again,
        "ASK" => {
            let node = error.details().unwrap_or_default().split(' ').next_back().unwrap_or_default();
            let Some((host, port)) = node.rsplit_once(':') else { return Next::Again };
            port.parse().map_or(Next::Again, |port| Next::Ask(address(host, port, asked)))
        }
        _ => Next::Done(answer),
    }
}
