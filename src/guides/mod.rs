//! Guides: signals, slots, threads; compression; tests; porting from Qt; names.
//!
//! * [`signals_slots_threads`]: how objects call each other, and on which thread;
//! * `compression`: when it pays, its tuning, secrets, and known peers;
//! * `testing`: tests without ports and waits (feature `testing`);
//! * [`porting`]: Qt's idioms with our code, what else a Qt program uses (TCP, UDP, HTTP, processes,
//!   files, databases, logging, tokio, GUI loops), the compiler's messages, and the differences in
//!   behaviour;
//! * [`qt_map`]: a row for each member of Qt's classes, also for those that are left out;
//! * [`qt_behaviours`]: what Qt does in detail, and what Slotwork does in the same case;
//! * [`deployment`]: proxies, systemd, containers, restarts, several cores, monitoring;
//! * [`security`]: a checklist, and all limits in one table;
//! * [`troubleshooting`]: what is seen, why, and the remedy;
//! * [`promises`]: what goes wrong on networks, and what Slotwork promises for it.
//!
//! [`EventLoop`](crate::EventLoop) has the rules for work that takes long and for other async
//! libraries, [`signals`](crate::signals) the guarantees of signals and the kinds of connections.

#![allow(
    clippy::doc_markdown,
    reason = "the files of `docs` have the names of programs and packages as they are written"
)]

#[cfg(feature = "compression")]
pub mod compression;
pub mod signals_slots_threads;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

/// Porting a Qt program from C++, idiom by idiom.
///
/// [qt-map.md]: crate::guides::qt_map
/// [qt-behaviours.md]: crate::guides::qt_behaviours
#[doc = include_str!("../../docs/porting.md")]
#[doc(alias = "QLoggingCategory")]
#[doc(alias = "qDebug")]
#[doc(alias = "qInfo")]
#[doc(alias = "qWarning")]
#[doc(alias = "qCritical")]
#[doc(alias = "qCDebug")]
#[doc(alias = "QSettings")]
#[doc(alias = "QString")]
#[doc(alias = "QByteArray")]
#[doc(alias = "QJsonDocument")]
#[doc(alias = "QJsonObject")]
#[doc(alias = "QCommandLineParser")]
#[doc(alias = "QStandardPaths")]
#[doc(alias = "QTcpServer")]
#[doc(alias = "QTcpSocket")]
#[doc(alias = "QUdpSocket")]
#[doc(alias = "QLocalServer")]
#[doc(alias = "QLocalSocket")]
#[doc(alias = "QProcess")]
#[doc(alias = "QNetworkAccessManager")]
#[doc(alias = "QNetworkReply")]
#[doc(alias = "QSqlDatabase")]
#[doc(alias = "QSqlQuery")]
#[doc(alias = "QFileSystemWatcher")]
#[doc(alias = "QElapsedTimer")]
#[doc(alias = "QDeadlineTimer")]
#[doc(alias = "QDateTime")]
#[doc(alias = "QCryptographicHash")]
#[doc(alias = "QRandomGenerator")]
#[doc(alias = "QApplication")]
#[doc(alias = "QWebChannel")]
#[doc(alias = "tokio")]
pub mod porting {}

/// Qt's members and ours: a row for each, also for those that are left out.
///
/// [porting.md]: crate::guides::porting
/// [requests]: crate::guides::porting#requests-that-one-of-both-refuses
/// [time]: crate::guides::porting#time
/// [udp]: crate::guides::porting#udp
/// [web channel]: crate::guides::porting#qwebchannel
/// [what else]: crate::guides::porting#what-else-a-qt-program-uses
/// [qt-behaviours.md]: crate::guides::qt_behaviours
#[doc = include_str!("../../docs/qt-map.md")]
pub mod qt_map {}

/// Behaviours of Qt in detail, by id, and what Slotwork does in the same case.
///
/// [qt-map.md]: crate::guides::qt_map
/// [porting.md]: crate::guides::porting
#[doc = include_str!("../../docs/qt-behaviours.md")]
pub mod qt_behaviours {}

/// Deployment: proxies, systemd, containers, restarts, several cores, monitoring.
///
/// [security.md]: crate::guides::security
/// [troubleshooting.md]: crate::guides::troubleshooting
#[doc = include_str!("../../docs/deployment.md")]
#[doc(alias = "nginx")]
#[doc(alias = "HAProxy")]
#[doc(alias = "systemd")]
pub mod deployment {}

/// Security: a checklist, and all limits with their setters and defaults.
///
/// [deployment.md]: crate::guides::deployment
/// [promises.md]: crate::guides::promises
/// [bounds]: crate::guides::promises
#[doc = include_str!("../../docs/security.md")]
#[doc(alias = "limits")]
pub mod security {}

/// Troubleshooting: what is seen, why, and the remedy.
///
/// [deployment.md]: crate::guides::deployment
#[doc = include_str!("../../docs/troubleshooting.md")]
pub mod troubleshooting {}

/// Failures and attacks, and what Slotwork promises for each.
#[doc = include_str!("../../docs/promises.md")]
pub mod promises {}
