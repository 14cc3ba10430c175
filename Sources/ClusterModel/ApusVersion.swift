/// The version of Apus that nodes, command line tools and the API report.
public let apusVersion = "0.1.0"
