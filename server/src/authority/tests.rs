//! The rules of rights, on random trees.

use proptest::prelude::*;

use super::*;

const fn area(n: u8) -> AreaId {
    AreaId([n; 16])
}

/// A tree of areas 0 to n − 1: the parent of each, before it; a root has itself.
fn trees() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<prop::sample::Index>(), 1..12).prop_map(|picks| {
        let parent = |(n, pick): (usize, prop::sample::Index)| if n == 0 { 0 } else { pick.index(n + 1) as u8 };
        picks.into_iter().enumerate().map(parent).collect()
    })
}

fn path(tree: &[u8], of: u8) -> Vec<AreaId> {
    let mut path = vec![area(of)];
    let mut at = of;
    while tree[usize::from(at)] != at {
        at = tree[usize::from(at)];
        path.insert(0, area(at));
    }
    path
}

proptest! {
    #[test]
    fn a_grant_holds_in_its_area_and_below_and_nowhere_else(
        tree in trees(),
        role in prop::sample::select(Role::ALL.to_vec()),
        right in prop::sample::select(Right::ALL.to_vec()),
        pick in any::<prop::sample::Index>(),
    ) {
        let granted = pick.index(tree.len()) as u8;
        let authority = Authority::new(vec![Grant::within(role, area(granted))]);
        for at in 0..tree.len() as u8 {
            let below = path(&tree, at).contains(&area(granted));
            prop_assert_eq!(
                authority.may(right, &path(&tree, at)),
                below && role.rights().contains(&right)
            );
        }
        prop_assert!(!authority.may_everywhere(right));
    }

    #[test]
    fn a_limit_only_takes_away(
        tree in trees(),
        grants in prop::collection::vec((prop::sample::select(Role::ALL.to_vec()), any::<prop::sample::Index>()), 0..5),
        rights in prop::sample::subsequence(Right::ALL.to_vec(), 0..=9),
        pick in any::<prop::sample::Index>(),
    ) {
        let at = |pick: prop::sample::Index| area(pick.index(tree.len()) as u8);
        let grants = grants.into_iter().map(|(role, pick)| Grant::within(role, at(pick))).collect();
        let whole = Authority::new(grants);
        let limit = Limit { rights: rights.clone(), reach: Reach::Area(at(pick)) };
        let part = whole.clone().limited(limit);
        for right in Right::ALL {
            for n in 0..tree.len() as u8 {
                let path = path(&tree, n);
                let expected = whole.may(right, &path) && rights.contains(&right) && path.contains(&at(pick));
                prop_assert_eq!(part.may(right, &path), expected);
            }
        }
    }

    #[test]
    fn nobody_manages_who_may_do_something_where_they_do_not(
        tree in trees(),
        own in any::<prop::sample::Index>(),
        others in prop::collection::vec((prop::sample::select(Role::ALL.to_vec()), any::<prop::sample::Index>()), 0..4),
    ) {
        let at = |pick: prop::sample::Index| pick.index(tree.len()) as u8;
        let admin = Authority::new(vec![Grant::within(Role::Administrator, area(at(own)))]);
        let grants: Vec<_> = others.iter().map(|(role, pick)| Grant::within(*role, area(at(*pick)))).collect();
        let within = others.iter().all(|(_, pick)| path(&tree, at(*pick)).contains(&area(at(own))));
        let path_of = |id: AreaId| path(&tree, id.0[0]);
        prop_assert_eq!(admin.may_manage(&grants, path_of), within);
        let mut above = grants;
        above.push(Grant::everywhere(Role::Auditor));
        prop_assert!(!admin.may_manage(&above, path_of));
    }
}

#[test]
fn names_read_back() {
    for role in Role::ALL {
        assert_eq!(Role::named(role.name()), Some(role));
    }
    for right in Right::ALL {
        assert_eq!(Right::named(right.name()), Some(right));
    }
    assert_eq!((Role::named("admin"), Right::named("")), (None, None));
}

#[test]
fn only_the_first_may_do_everything_and_an_auditor_changes_nothing() {
    let first = Authority::new(Grant::FIRST.to_vec());
    assert!(Right::ALL.iter().all(|right| first.may_everywhere(*right)));
    assert_eq!(Role::Auditor.rights(), [Right::See, Right::Record]);
    assert!(!Role::Administrator.rights().contains(&Right::Broadcast));
    assert_eq!(first.only_area(Right::Compose), None);
    let officer = Authority::new(vec![Grant::within(Role::Officer, area(3))]);
    assert_eq!(officer.only_area(Right::Compose), Some(area(3)));
    assert!(officer.may_somewhere(Right::Compose) && !officer.may_somewhere(Right::Approve));
}
