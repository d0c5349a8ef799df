//! Qt's names lead to ours: each member that docs/qt-map.md gives a counterpart is found in the
//! documentation's search, under its own name or as an alias (`tests/search/run` looks them up).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

#[test]
fn every_member_of_the_map_is_found_in_the_search() -> Result<()> {
    let names = names_of_the_code()?;
    let map = fs::read_to_string(root().join("docs/qt-map.md"))?;

    let members: BTreeSet<&str> = map.lines().flat_map(members_of_row).collect();
    let lost: Vec<_> = members.into_iter().filter(|member| !is_found(member, &names)).collect();

    ensure!(lost.is_empty(), "no `doc(alias)` for {lost:?}");
    Ok(())
}

/// docs/qt-map.md has a row for each member of the classes that programs port, with its reason where
/// it is left out.
#[test]
fn every_public_member_of_these_classes_has_a_row() -> Result<()> {
    let map = fs::read_to_string(root().join("docs/qt-map.md"))?;

    for (class, members) in MEMBERS {
        let has_class = |section: &&str| {
            let heading = section.lines().next().unwrap_or_default();
            heading.split([',', ' ']).any(|word| word == class)
        };
        let section = map.split("\n## ").find(has_class).with_context(|| class.to_owned())?;
        let first_columns =
            section.lines().filter_map(|row| row.strip_prefix("| ")?.split(" |").next());
        let quoted = first_columns.flat_map(|column| column.split('`').skip(1).step_by(2));
        let rows: BTreeSet<&str> = quoted.map(name_of).collect();
        let lost: Vec<_> = members.split(' ').filter(|member| !rows.contains(member)).collect();
        ensure!(lost.is_empty(), "{class} has no row for {lost:?}");
    }
    Ok(())
}

/// The members in the first column of a row, if it has something of ours in the second.
fn members_of_row(row: &str) -> Vec<&str> {
    let columns: Vec<_> = row.split(" | ").map(|column| column.trim_matches(['|', ' '])).collect();
    let [qt, ours, remark, ..] = columns[..] else { return Vec::new() };
    if !row.starts_with("| ") || ours.is_empty() || remark.starts_with("not ported") {
        return Vec::new();
    }
    let quoted = qt.split('`').skip(1).step_by(2);
    quoted.filter(|member| member.ends_with(')') || member.starts_with('Q')).map(name_of).collect()
}

/// The name alone: of `QThread::wait()` the last part, of a class all of it.
fn name_of(member: &str) -> &str {
    let name = member.split(['(', ' ', '<']).next().unwrap_or_default();
    if member.ends_with(')') { name.rsplit("::").next().unwrap_or_default() } else { name }
}

fn is_found(member: &str, names: &BTreeSet<String>) -> bool {
    let (class, name) = member.rsplit_once("::").unwrap_or(("", member));
    let is_elsewhere = ELSEWHERE.contains(&member) || name.starts_with('~');
    is_elsewhere || [class, name, member].iter().any(|name| names.contains(*name))
}

/// The aliases, and the names of functions and types.
fn names_of_the_code() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for folder in ["src", "signals/src", "webchannel/src"] {
        collect(&root().join(folder), &mut names)?;
    }
    ensure!(names.contains("newConnection"), "the sources are gone");
    Ok(names)
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, names)?;
            continue;
        }
        for line in fs::read_to_string(path)?.lines().map(str::trim) {
            let alias = line.split("alias = \"").nth(1).and_then(|rest| rest.split('"').next());
            let item = ["pub fn ", "pub async fn ", "pub struct ", "pub enum ", "pub trait "]
                .iter()
                .find_map(|start| line.strip_prefix(start)?.split(['(', '<', ' ']).next());
            names.extend(alias.into_iter().chain(item).map(str::to_owned));
        }
    }
    Ok(())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is not a name to search for: operations of the language, values, containers.
const ELSEWHERE: [&str; 3] = ["QList", "swap", "QSslError::SslError"];

/// The public members of these classes, as Qt for Python 6.12 lists them; those of `QChronoTimer`,
/// which it lacks, as Qt's documentation does.
const MEMBERS: [(&str, &str); 12] = [
    (
        "QWebChannel",
        "blockUpdates blockUpdatesChanged connectTo deregisterObject disconnectFrom \
         propertyUpdateInterval registerObject registerObjects registeredObjects setBlockUpdates \
         setPropertyUpdateInterval",
    ),
    ("QWebChannelAbstractTransport", "messageReceived sendMessage"),
    (
        "QCoreApplication",
        "aboutToQuit applicationNameChanged applicationVersionChanged organizationDomainChanged \
         organizationNameChanged addLibraryPath applicationDirPath applicationFilePath \
         applicationName applicationPid applicationVersion arguments checkPermission closingDown \
         event eventDispatcher exec exec_ exit installNativeEventFilter installTranslator \
         instance instanceExists isQuitLockEnabled isSetuidAllowed libraryPaths notify \
         organizationDomain organizationName postEvent processEvents quit removeLibraryPath \
         removeNativeEventFilter removePostedEvents removeTranslator requestPermission \
         resolveInterface sendEvent sendPostedEvents setApplicationName setApplicationVersion \
         setAttribute setEventDispatcher setLibraryPaths setOrganizationDomain \
         setOrganizationName setQuitLockEnabled setSetuidAllowed shutdown startingUp \
         testAttribute translate",
    ),
    (
        "QEventLoop",
        "ProcessEventsFlag AllEvents ExcludeUserInputEvents ExcludeSocketNotifiers \
         WaitForMoreEvents X11ExcludeTimers EventLoopExec DialogExec ApplicationExec event exec \
         exec_ exit isRunning processEvents quit wakeUp",
    ),
    (
        "QTimer",
        "timeout id interval intervalAsDuration isActive isSingleShot killTimer remainingTime \
         remainingTimeAsDuration setInterval setSingleShot setTimerType singleShot start stop \
         timerEvent timerId timerType",
    ),
    (
        "QChronoTimer",
        "timeout interval isActive isSingleShot remainingTime setInterval setSingleShot \
         setTimerType start stop timerType id callOnTimeout",
    ),
    (
        "QElapsedTimer",
        "ClockType SystemTime MonotonicClock TickCounter MachAbsoluteTime PerformanceCounter \
         clockType elapsed hasExpired invalidate isMonotonic isValid msecsSinceReference msecsTo \
         nsecsElapsed restart secsTo start",
    ),
    (
        "QDeadlineTimer",
        "Forever ForeverConstant addNSecs current deadline deadlineNSecs hasExpired isForever \
         remainingTime remainingTimeNSecs setDeadline setPreciseDeadline setPreciseRemainingTime \
         setRemainingTime setTimerType swap timerType",
    ),
    (
        "QThread",
        "finished started Priority IdlePriority LowestPriority LowPriority NormalPriority \
         HighPriority HighestPriority TimeCriticalPriority InheritPriority QualityOfService Auto \
         High Eco currentThread event eventDispatcher exec exec_ exit idealThreadCount \
         isCurrentThread isFinished isInterruptionRequested isMainThread isRunning loopLevel \
         msleep priority quit requestInterruption run serviceLevel setEventDispatcher setPriority \
         setServiceLevel setStackSize setTerminationEnabled sleep stackSize start terminate \
         usleep wait yieldCurrentThread",
    ),
    (
        "QSocketNotifier",
        "activated Type Read Write Exception event isEnabled isValid setEnabled setSocket socket \
         type",
    ),
    ("QMetaObject::Connection", "swap"),
    ("QSignalSpy", "at count isValid signal size wait"),
];
