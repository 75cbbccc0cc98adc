//! What somebody sees. Here: areas within their grants (and those above, since a place is named by its path), what lies in
//! them, bulletins that were sent to them, and broadcasts that reach them, from above too. Not here: what they may do (`authority`).

use std::collections::{HashMap, HashSet};

use loa_protocol::{AreaId, ReceiverId};

use crate::authority::{Authority, Right};
use crate::store::{self, Store};

/// What concerns whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// What lies in an area, or in none.
    In(Option<AreaId>),
    /// What lies in an area, or in none, and was sent to these.
    Sent(Option<AreaId>, Vec<AreaId>),
    /// What sounds in these areas and below, and in single places in those areas.
    Target(Vec<AreaId>, Vec<AreaId>),
    /// What lies nowhere yet, for who has that right anywhere.
    Somewhere(Right),
}

/// What one caller sees.
#[derive(Debug, Clone)]
pub(super) struct View {
    authority: Authority,
    paths: HashMap<AreaId, Vec<AreaId>>,
    /// Areas that are seen, and those above them.
    near: HashSet<AreaId>,
}

impl View {
    pub(super) async fn new(store: &Store, authority: &Authority) -> Result<Self, store::Error> {
        let paths = store.paths().await?;
        let seen = paths.values().filter(|path| authority.may(Right::See, path));
        let near = seen.flatten().copied().collect();
        Ok(Self {
            authority: authority.clone(),
            paths,
            near,
        })
    }

    /// The areas from the root down to `area`; empty if there is none, so that only who may everywhere may there.
    pub(super) fn path(&self, area: Option<AreaId>) -> &[AreaId] {
        area.and_then(|area| self.paths.get(&area))
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The areas from the root down to `area`, if it exists and is seen.
    pub(super) fn seen_path(&self, area: AreaId) -> Option<&[AreaId]> {
        let path = self.paths.get(&area)?;
        self.authority.may(Right::See, path).then_some(path)
    }

    /// The areas below which all is seen that is seen, none of them below another.
    pub(super) fn roots(&self) -> Vec<AreaId> {
        let may = |path: &[AreaId]| !path.is_empty() && self.authority.may(Right::See, path);
        let tops = self
            .paths
            .iter()
            .filter(|(_, path)| may(path) && !may(&path[..path.len() - 1]));
        tops.map(|(area, _)| *area).collect()
    }

    /// Whether the area itself is shown.
    pub(super) fn names(&self, area: AreaId) -> bool {
        self.near.contains(&area)
    }

    pub(super) fn sees(&self, place: &Place) -> bool {
        let inside = |area: Option<AreaId>| self.authority.may(Right::See, self.path(area));
        match place {
            Place::In(area) => inside(*area),
            Place::Sent(area, to) => inside(*area) || to.iter().any(|area| inside(Some(*area))),
            Place::Somewhere(right) => self.authority.may_somewhere(*right),
            Place::Target(areas, singles) => {
                areas.iter().any(|area| self.near.contains(area)) || singles.iter().any(|area| inside(Some(*area)))
            }
        }
    }
}

impl Place {
    /// Where a bulletin is, and was sent.
    pub(super) fn bulletin(it: &store::Bulletin) -> Self {
        match it.sent_to.is_empty() {
            true => Self::In(it.area),
            false => Self::Sent(it.area, it.sent_to.clone()),
        }
    }

    /// Where a broadcast with that target sounds.
    pub(super) fn of(target: &store::Target, receivers: &HashMap<ReceiverId, AreaId>) -> Self {
        let singles = target.receivers.iter().filter_map(|id| receivers.get(id).copied());
        Self::Target(target.areas.clone(), singles.collect())
    }
}
