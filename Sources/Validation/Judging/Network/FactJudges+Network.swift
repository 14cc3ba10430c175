extension FactJudges {
    /// The rules of `network/…`.
    static let network: [ValidationTestID: FactJudge] = [
        NetworkCatalogue.networks.id: AddressJudges.networks,
        NetworkCatalogue.sameSubnet.id: AddressJudges.sameSubnet,
        NetworkCatalogue.redundancy.id: AddressJudges.redundancy,
        NetworkCatalogue.linkSpeed.id: LinkJudges.linkSpeed,
        NetworkCatalogue.bridges.id: LinkJudges.bridges,
    ]
}
