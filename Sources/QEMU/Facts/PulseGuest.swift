/// A guest that shows for as long as it lives that it runs and that its memory is whole: a kernel of two sectors, no operating system.
///
/// A thousand times a second it looks whether one of its 112 pages holds what it wrote there a round ago, writes the next number to it,
/// and sends that number's lower seven bits out of its first serial port. A migration is seen there: the last number on one node, the
/// first one on the other, and the time between them. It waits in `hlt`, so it takes next to no processor time, and it changes 4 MB of
/// memory a second: enough for a migration to have something to copy again.
public enum PulseGuest {
    /// What it sends once its memory is not what it wrote. No number has the eighth bit set.
    public static let brokenSign: UInt8 = 0xff
    /// What it sends after a number.
    public static func successor(of sign: UInt8) -> UInt8 { (sign &+ 1) & 0x7f }
    /// Nominal time between two signs, in milliseconds.
    public static let periodMilliseconds = 1.0

    /// The image for `-kernel`, in the form of a Linux kernel of old (Documentation/arch/x86/boot.rst, protocol 2.00): a boot sector whose
    /// header says that one sector of real-mode code follows, then that sector, which QEMU's boot ROM jumps to, then a kernel that is
    /// never used.
    public static var kernel: [UInt8] {
        var image = [UInt8](repeating: 0, count: 2_048)
        image[0x1f1] = 1  // setup_sects
        image.replaceSubrange(0x1fe..<0x200, with: [0x55, 0xaa])
        image.replaceSubrange(0x200..<0x202, with: [0xeb, UInt8(codeOffset - 0x202)])  // jmp to the code, over the header
        image.replaceSubrange(0x202..<0x206, with: Array("HdrS".utf8))
        image.replaceSubrange(0x206..<0x208, with: [0x00, 0x02])
        image.replaceSubrange(codeOffset..<codeOffset + code.count, with: code)
        return image
    }

    private static let codeOffset = 0x268

    /// What GNU as makes of the 16-bit instructions beside it. `tick` is at 0xda of the sector.
    private static let code: [UInt8] = [
        0xfa,  // cli
        0xfc,  // cld
        // Each page gets the number that stands before the one it will get first.
        0xbb, 0x00, 0x10,  // mov $0x1000, %bx
        0xb8, 0x90, 0xff,  // mov $-112, %ax
        0x8e, 0xc3,  // 1: mov %bx, %es
        0x26, 0xa3, 0x00, 0x00,  // mov %ax, %es:0
        0x40,  // inc %ax
        0x81, 0xc3, 0x00, 0x01,  // add $0x100, %bx
        0x81, 0xfb, 0x00, 0x80,  // cmp $0x8000, %bx
        0x75, 0xef,  // jne 1b
        // IRQ 0 calls what stands at the end; the timer ticks every millisecond (1,193,182 Hz / 1,193); all other interrupts are masked.
        0x31, 0xc0,  // xor %ax, %ax
        0x8e, 0xd8,  // mov %ax, %ds
        0xc7, 0x06, 0x20, 0x00, 0xda, 0x00,  // movw $tick, 0x20
        0x8c, 0x0e, 0x22, 0x00,  // mov %cs, 0x22
        0xb0, 0x34,  // mov $0x34, %al
        0xe6, 0x43,  // out %al, $0x43
        0xb0, 0xa9,  // mov $0xa9, %al
        0xe6, 0x40,  // out %al, $0x40
        0xb0, 0x04,  // mov $0x04, %al
        0xe6, 0x40,  // out %al, $0x40
        0xb0, 0xfe,  // mov $0xfe, %al
        0xe6, 0x21,  // out %al, $0x21
        0xb0, 0xff,  // mov $0xff, %al
        0xe6, 0xa1,  // out %al, $0xa1
        // n = 0; then with every tick, for one page after the other:
        0x31, 0xed,  // xor %bp, %bp
        0xba, 0xf8, 0x03,  // mov $0x3f8, %dx
        0xbb, 0x00, 0x10,  // 2: mov $0x1000, %bx
        0xfb,  // 3: sti
        0xf4,  // hlt
        0xfa,  // cli
        // Does it hold what was written to it a round ago, n - 112? Then it gets n, and n goes out to the first serial port.
        0x8e, 0xc3,  // mov %bx, %es
        0x89, 0xe8,  // mov %bp, %ax
        0x83, 0xe8, 0x70,  // sub $112, %ax
        0x26, 0x3b, 0x06, 0x00, 0x00,  // cmp %es:0, %ax
        0x75, 0x17,  // jne 4f
        0x26, 0x89, 0x2e, 0x00, 0x00,  // mov %bp, %es:0
        0x89, 0xe8,  // mov %bp, %ax
        0x24, 0x7f,  // and $0x7f, %al
        0xee,  // out %al, %dx
        0x45,  // inc %bp
        0x81, 0xc3, 0x00, 0x01,  // add $0x100, %bx
        0x81, 0xfb, 0x00, 0x80,  // cmp $0x8000, %bx
        0x75, 0xda,  // jne 3b
        0xeb, 0xd5,  // jmp 2b
        // Memory that is not what it was: for ever 0xff.
        0xb0, 0xff,  // 4: mov $0xff, %al
        0xee,  // out %al, %dx
        0xfb,  // sti
        0xf4,  // hlt
        0xeb, 0xf9,  // jmp 4b
        // Acknowledges the interrupt; that it woke the processor is all it is for.
        0x50,  // tick: push %ax
        0xb0, 0x20,  // mov $0x20, %al
        0xe6, 0x20,  // out %al, $0x20
        0x58,  // pop %ax
        0xcf,  // iret
    ]
}
