// swift-tools-version:6.2
import PackageDescription

// The map of the design. Arrows run from the entry points inward to ClusterModel; clients are leaves that know no failover.

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioFoundation = Target.Dependency.product(name: "NIOFoundationEssentialsCompat", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
    name: "apus",
    products: [
        .executable(name: "apus", targets: ["apus"]),
        .executable(name: "apusd", targets: ["apusd"]),
        .executable(name: "apus-lab-client", targets: ["LabClient"]),
        .executable(name: "apus-simulate", targets: ["Simulate"]),
        .executable(name: "apus-bench", targets: ["Bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        // Values, and rules over them: no clock, no randomness, no I/O.
        .target(name: "ClusterModel", swiftSettings: strict),
        .target(name: "ClusterRules", dependencies: ["ClusterModel"], swiftSettings: strict),
        .target(name: "Simulation", dependencies: ["ClusterModel", "ClusterRules", "SeededRandom"], swiftSettings: strict),
        .target(name: "MigrationRules", dependencies: ["ClusterModel"], swiftSettings: strict),
        .target(name: "ClusterAPI", dependencies: ["ClusterModel", "Validation"], swiftSettings: strict),
        .target(name: "Validation", dependencies: ["ClusterModel"], swiftSettings: strict),

        // Chance that replays: for the simulation, and for tests that draw their cases from a seed.
        .target(name: "SeededRandom", swiftSettings: strict),

        // C, each imported by exactly one target.
        // No pkgConfig: Corosync's asks for -pthread by way of libqb, which SwiftPM refuses with a warning.
        .systemLibrary(
            name: "CCorosync",
            providers: [.apt(["libcfg-dev", "libcmap-dev", "libcorosync-common-dev", "libcpg-dev", "libvotequorum-dev"])]),
        .systemLibrary(name: "CISCSI", providers: [.apt(["libiscsi-dev"])]),
        .target(name: "CPacketSocket"),
        .target(name: "CProcess"),

        // Clients.
        .target(name: "DurableFiles", swiftSettings: strict),
        .target(name: "Executors", swiftSettings: strict),
        .target(
            name: "Corosync", dependencies: ["CCorosync", "ClusterModel", "DurableFiles", "Executors", subprocess], swiftSettings: strict),
        .target(name: "QMP", dependencies: [logging, nioCore, nioPosix], swiftSettings: strict),
        .target(name: "SCSI", swiftSettings: strict),
        .target(name: "ISCSI", dependencies: ["CISCSI", "SCSI"], swiftSettings: strict),
        .target(name: "Reservations", dependencies: ["SCSI"], swiftSettings: strict),
        .target(name: "SharedDisks", dependencies: ["ClusterModel", "DurableFiles", "SCSI"], swiftSettings: strict),
        .target(name: "ClusterStore", dependencies: ["ClusterModel", "DurableFiles", "Executors", grdb], swiftSettings: strict),
        .target(name: "VMDefinitions", dependencies: ["ClusterModel", yams], swiftSettings: strict),
        .target(name: "QEMU", dependencies: ["ClusterModel", "QMP", "CProcess", logging, subprocess], swiftSettings: strict),
        .target(name: "SwitchoverFrames", dependencies: ["CPacketSocket"], swiftSettings: strict),
        .target(
            name: "NodeIdentity",
            dependencies: [
                "DurableFiles",
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
            ], swiftSettings: strict),
        .target(
            name: "NodeClient",
            dependencies: [
                "ClusterAPI", "ClusterModel", "NodeIdentity", "Validation", nioCore, nioFoundation, nioHTTP1, nioPosix, nioSSL,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ], swiftSettings: strict),
        .target(
            name: "NodeServer",
            dependencies: [
                "ClusterAPI", "ClusterModel", "NodeIdentity", lifecycle, logging, nioCore, nioFoundation, nioHTTP1, nioSSL,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
            ], swiftSettings: strict),

        .target(
            name: "Forming", dependencies: ["ClusterAPI", "ClusterModel", "DurableFiles", "NodeClient", "NodeIdentity", logging],
            swiftSettings: strict),

        // What an administrator reads.
        .target(
            name: "ValidationReport", dependencies: ["ClusterAPI", "ClusterModel", "DurableFiles", "Validation"], swiftSettings: strict),

        // Actors: facts become decisions, decisions become calls.
        .target(
            name: "Witness", dependencies: ["ClusterModel", "ClusterRules", "Executors", "Reservations", "SCSI", "SharedDisks"],
            swiftSettings: strict),
        .target(
            name: "Membership",
            dependencies: [
                "ClusterAPI", "ClusterModel", "ClusterRules", "ClusterStore", "Corosync", "Forming", "SharedDisks", "Witness", logging,
            ],
            swiftSettings: strict),
        .target(
            name: "NodeService",
            dependencies: [
                "ClusterAPI", "ClusterModel", "ClusterRules", "Corosync", "DurableFiles", "Forming", "ISCSI", "Membership",
                "MigrationRules", "NodeClient",
                "NodeIdentity", "QEMU", "QMP", "Reservations", "SCSI", "SharedDisks", "SwitchoverFrames", "VMDefinitions", "Validation",
                "ValidationReport", "Witness",
                lifecycle, logging, nioCore, nioPosix, nioSSL, subprocess, yams,
            ], swiftSettings: strict),

        .target(
            name: "NodeValidation",
            dependencies: [
                "ClusterAPI", "ClusterModel", "ClusterRules", "DurableFiles", "Forming", "ISCSI", "Membership", "MigrationRules",
                "NodeClient", "NodeIdentity", "NodeService", "QEMU", "Reservations", "SCSI", "SharedDisks", "SwitchoverFrames",
                "Validation", "ValidationReport",
                lifecycle, logging, nioCore, nioPosix, nioSSL, subprocess,
            ], swiftSettings: strict),

        // The data centre on one machine.
        .target(
            name: "Lab", dependencies: ["ClusterAPI", "ClusterModel", "NodeClient", "NodeIdentity", subprocess],
            swiftSettings: strict),

        // Entry points.
        .executableTarget(
            name: "apus",
            dependencies: [
                "ClusterAPI", "ClusterModel", "Lab", "NodeClient", "Validation", "ValidationReport", "VMDefinitions", argumentParser,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "apusd",
            dependencies: [
                "ClusterModel", "Forming", "NodeIdentity", "NodeServer", "NodeService", "NodeValidation", argumentParser, lifecycle,
                logging,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .executableTarget(name: "Simulate", dependencies: ["Simulation", argumentParser], swiftSettings: strict),
        .executableTarget(name: "LabClient", dependencies: [argumentParser], swiftSettings: strict),
        .executableTarget(
            name: "Bench", dependencies: ["ClusterAPI", "ClusterModel", "Lab", "NodeClient", argumentParser, subprocess],
            swiftSettings: strict),

        // Makes the client's calls from within a test node's network namespace.
        .executableTarget(name: "CorosyncProbe", dependencies: ["Corosync"], path: "Tests/CorosyncProbe", swiftSettings: strict),
        .testTarget(
            name: "CorosyncTests", dependencies: ["ClusterModel", "Corosync", "CorosyncProbe", subprocess], swiftSettings: strict),
        .testTarget(name: "DurableFilesTests", dependencies: ["DurableFiles"], swiftSettings: strict),
        .testTarget(name: "ClusterModelTests", dependencies: ["ClusterModel"], swiftSettings: strict),
        .testTarget(name: "ClusterRulesTests", dependencies: ["ClusterModel", "ClusterRules", "SeededRandom"], swiftSettings: strict),
        .testTarget(
            name: "SimulationTests", dependencies: ["ClusterModel", "ClusterRules", "SeededRandom", "Simulation"], swiftSettings: strict),
        .testTarget(name: "MigrationRulesTests", dependencies: ["MigrationRules", "SeededRandom"], swiftSettings: strict),
        .testTarget(name: "ValidationTests", dependencies: ["ClusterModel", "Validation"], swiftSettings: strict),
        .testTarget(
            name: "ValidationReportTests", dependencies: ["ClusterAPI", "ClusterModel", "Validation", "ValidationReport"],
            swiftSettings: strict),
        .testTarget(name: "QMPTests", dependencies: ["QMP", nioCore, nioPosix, subprocess], swiftSettings: strict),
        .testTarget(name: "SCSITests", dependencies: ["SCSI", "SeededRandom"], swiftSettings: strict),
        .testTarget(
            name: "SharedDisksTests",
            dependencies: [
                "ClusterModel", "ClusterRules", "ISCSI", "Reservations", "SCSI", "SharedDisks", "Witness", subprocess,
            ], swiftSettings: strict),
        // A process of its own, to be killed and traced by the tests.
        .executableTarget(
            name: "StoreWriter", dependencies: ["ClusterModel", "ClusterStore", "SeededRandom"], path: "Tests/StoreWriter",
            swiftSettings: strict),
        .testTarget(
            name: "ClusterStoreTests", dependencies: ["ClusterModel", "ClusterStore", "SeededRandom", "StoreWriter", grdb, subprocess],
            swiftSettings: strict),
        .testTarget(name: "VMDefinitionsTests", dependencies: ["ClusterModel", "VMDefinitions"], swiftSettings: strict),
        .testTarget(name: "QEMUTests", dependencies: ["ClusterModel", "QEMU", "QMP", subprocess], swiftSettings: strict),
        .testTarget(name: "SwitchoverFramesTests", dependencies: ["SwitchoverFrames", subprocess], swiftSettings: strict),
        .testTarget(name: "NodeIdentityTests", dependencies: ["NodeIdentity", subprocess], swiftSettings: strict),
        .testTarget(
            name: "NodeServerTests",
            dependencies: [
                "apus", "ClusterAPI", "ClusterModel", "NodeClient", "NodeIdentity", "NodeServer", "Validation", argumentParser, lifecycle,
                logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "FormingTests",
            dependencies: [
                "ClusterAPI", "ClusterModel", "Forming", "NodeClient", "NodeIdentity", "NodeServer", "Validation", logging,
            ],
            swiftSettings: strict),
        .target(
            name: "LabTesting", dependencies: ["ClusterModel", "Lab", "QMP", logging], path: "Tests/LabTesting", swiftSettings: strict),
        .testTarget(name: "LabTests", dependencies: ["Lab", "LabTesting", "ClusterModel", subprocess], swiftSettings: strict),
        .testTarget(
            name: "ValidationLabTests",
            dependencies: [
                "ClusterAPI", "ClusterModel", "Lab", "LabTesting", "NodeClient", "Validation", subprocess,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ClusterTests", dependencies: ["ClusterAPI", "ClusterModel", "Lab", "LabTesting", "NodeClient"], swiftSettings: strict),
        .testTarget(
            name: "MigrationTests", dependencies: ["ClusterAPI", "ClusterModel", "Lab", "LabTesting", "NodeClient", subprocess],
            swiftSettings: strict),
    ]
)
