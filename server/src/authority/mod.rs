//! Who may do what, where: roles granted in areas, and the rights that follow. Here: pure rules, no I/O. Not here: who is
//! asking (`http::gate`), where grants are kept (`store::users`).
//!
//! A grant holds in its area and everywhere below. Nothing follows from a grant for what lies above or beside.

#[cfg(test)]
mod tests;

use loa_protocol::AreaId;

/// What somebody is, in an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Cán bộ: makes bulletins and broadcasts what was approved.
    Officer,
    /// Người duyệt, lãnh đạo: that, approves, and warns of emergencies.
    Approver,
    /// Quản trị: areas, receivers and people.
    Administrator,
    /// Kỹ thuật viên: receivers.
    Technician,
    /// Kiểm tra: reads everything, the record too, and changes nothing.
    Auditor,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Officer,
        Self::Approver,
        Self::Administrator,
        Self::Technician,
        Self::Auditor,
    ];

    /// Its name, in the database and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Officer => "officer",
            Self::Approver => "approver",
            Self::Administrator => "administrator",
            Self::Technician => "technician",
            Self::Auditor => "auditor",
        }
    }

    /// The role of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// What it may do.
    pub fn rights(self) -> &'static [Right] {
        use Right::{Approve, Areas, Broadcast, Compose, Emergency, People, Receivers, Record, See};
        match self {
            Self::Officer => &[See, Compose, Broadcast],
            Self::Approver => &[See, Compose, Broadcast, Approve, Emergency],
            Self::Administrator => &[See, Receivers, Areas, People, Record],
            Self::Technician => &[See, Receivers],
            Self::Auditor => &[See, Record],
        }
    }
}

/// Something that one may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// See areas, receivers, bulletins, broadcasts and receipts.
    See,
    /// Make bulletins.
    Compose,
    /// Put approved bulletins on the air, and stop broadcasts.
    Broadcast,
    /// Approve bulletins.
    Approve,
    /// Broadcast and stop what is of class emergency; wants a second factor unless the settings say otherwise.
    Emergency,
    /// Enrol, change, revoke, replace and restart receivers.
    Receivers,
    /// Add and change areas.
    Areas,
    /// Invite people, grant and revoke roles.
    People,
    /// Read the record.
    Record,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::See,
        Self::Compose,
        Self::Broadcast,
        Self::Approve,
        Self::Emergency,
        Self::Receivers,
        Self::Areas,
        Self::People,
        Self::Record,
    ];

    /// Its name, in the database and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::Compose => "compose",
            Self::Broadcast => "broadcast",
            Self::Approve => "approve",
            Self::Emergency => "emergency",
            Self::Receivers => "receivers",
            Self::Areas => "areas",
            Self::People => "people",
            Self::Record => "record",
        }
    }

    /// The right of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.name() == name)
    }
}

/// How far something reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Every area, and what lies in none.
    Everywhere,
    /// This area and everything below it.
    Area(AreaId),
}

impl Reach {
    /// Whether what lies at `path` (areas from the root down to its own; empty: in none) is within reach.
    pub fn covers(self, path: &[AreaId]) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Area(area) => path.contains(&area),
        }
    }
}

/// A role that somebody was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// What they are.
    pub role: Role,
    /// Where.
    pub reach: Reach,
}

impl Grant {
    /// What whoever sets up a server is: there is nobody else yet.
    pub const FIRST: [Self; 3] = [
        Self::everywhere(Role::Officer),
        Self::everywhere(Role::Approver),
        Self::everywhere(Role::Administrator),
    ];

    /// The role in every area.
    pub const fn everywhere(role: Role) -> Self {
        Self {
            role,
            reach: Reach::Everywhere,
        }
    }

    /// The role in `area` and below.
    pub const fn within(role: Role, area: AreaId) -> Self {
        Self {
            role,
            reach: Reach::Area(area),
        }
    }
}

/// Of somebody's authority, what a program that acts for them was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// These rights and no others.
    pub rights: Vec<Right>,
    /// Here and nowhere else.
    pub reach: Reach,
}

/// All that somebody may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authority {
    grants: Vec<Grant>,
    limit: Option<Limit>,
}

impl Authority {
    /// What follows from `grants`.
    pub fn new(grants: Vec<Grant>) -> Self {
        Self { grants, limit: None }
    }

    /// The part of it that lies within `limit`.
    pub fn limited(self, limit: Limit) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    /// Whether `right` holds for what lies at `path` (areas from the root down to its own; empty: in none).
    pub fn may(&self, right: Right, path: &[AreaId]) -> bool {
        let within = |limit: &Limit| limit.rights.contains(&right) && limit.reach.covers(path);
        self.limit.as_ref().is_none_or(within) && self.reaches(right).any(|reach| reach.covers(path))
    }

    /// Whether `right` holds in every area and for what lies in none.
    pub fn may_everywhere(&self, right: Right) -> bool {
        self.may(right, &[])
    }

    /// Whether `right` holds anywhere at all.
    pub fn may_somewhere(&self, right: Right) -> bool {
        let within = |limit: &Limit| limit.rights.contains(&right);
        self.limit.as_ref().is_none_or(within) && self.reaches(right).next().is_some()
    }

    /// Where `right` was granted, a limit left aside.
    fn reaches(&self, right: Right) -> impl Iterator<Item = Reach> {
        let has = move |grant: &&Grant| grant.role.rights().contains(&right);
        self.grants.iter().filter(has).map(|grant| grant.reach)
    }

    /// The one area below which `right` holds and nowhere else, if it is one.
    pub fn only_area(&self, right: Right) -> Option<AreaId> {
        let mut reaches = self
            .reaches(right)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter();
        match (reaches.next(), reaches.next()) {
            (Some(Reach::Area(area)), None) => Some(area),
            _ => None,
        }
    }

    /// Whether somebody with these grants is wholly within where people may be managed: only then may their grants,
    /// their ways to sign in and their name be changed. `path` gives the areas from the root down to an area's own.
    pub fn may_manage(&self, grants: &[Grant], path: impl Fn(AreaId) -> Vec<AreaId>) -> bool {
        grants.iter().all(|grant| match grant.reach {
            Reach::Everywhere => self.may_everywhere(Right::People),
            Reach::Area(area) => self.may(Right::People, &path(area)),
        }) && self.may_somewhere(Right::People)
    }
}
