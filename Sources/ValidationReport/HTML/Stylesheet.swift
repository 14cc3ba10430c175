import Foundation

/// How the page looks: on a screen, light and dark, and on paper.
enum Stylesheet {
    static var text: String {
        """
        :root{color-scheme:light dark;\(Palette.light.declarations)}
        @media (prefers-color-scheme:dark){:root{\(Palette.dark.declarations)}}
        """ + rules + print.replacingOccurrences(of: "PALETTE", with: Palette.light.declarations)
    }

    private static let rules = """

        *{box-sizing:border-box}
        html{scroll-padding-top:1rem;-webkit-text-size-adjust:100%}
        body{margin:0;background:var(--page);color:var(--text);
          font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;overflow-wrap:anywhere}
        h1,h2,h3,h4{line-height:1.25;margin:0;text-wrap:balance}
        p,ul,ol,dl,table{margin:0}
        a{color:var(--link);text-underline-offset:.15em}
        a:focus-visible,summary:focus-visible{outline:3px solid var(--link);outline-offset:2px;border-radius:3px}
        code{font:.92em ui-monospace,"Cascadia Mono","Liberation Mono",monospace}
        .skip{position:absolute;left:-100vw;background:var(--page);padding:.5rem 1rem;z-index:2}
        .skip:focus{left:1rem;top:.5rem}
        .page{max-width:76rem;margin:0 auto;padding:2rem 1.5rem 4rem;display:grid;grid-template-columns:12rem minmax(0,1fr);
          gap:0 3rem;align-items:start}
        header,footer{grid-column:1/-1}
        nav{position:sticky;top:1.5rem;font-size:.875rem}
        nav ul{list-style:none;padding:0}
        nav a{display:flex;justify-content:space-between;gap:.5rem;padding:.3rem 0;color:var(--text);text-decoration:none}
        nav a:hover{text-decoration:underline}
        .quiet{color:var(--quiet)}
        .spoken{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
        .icon{width:1.05em;height:1.05em;flex:none;vertical-align:-.16em;fill:none;stroke:currentColor;stroke-width:2;
          stroke-linecap:round;stroke-linejoin:round}
        .v-pass{color:var(--pass)}.v-warning{color:var(--warning)}.v-failure{color:var(--failure)}
        .v-cancelled{color:var(--cancelled)}.v-not-applicable{color:var(--not-applicable)}
        .verdict{white-space:nowrap;font-weight:600}

        header .product{font-size:.875rem;color:var(--quiet);margin-bottom:.75rem}
        .banner{border-left:.375rem solid currentColor;padding:.25rem 0 .25rem 1.25rem}
        .banner h1{font-size:clamp(1.5rem,1.1rem + 1.6vw,2.25rem);font-weight:650;letter-spacing:-.01em}
        .banner .clauses{display:block;font-size:.7em;font-weight:500;letter-spacing:0;color:var(--text);margin-top:.3em;text-wrap:pretty}
        .banner p{color:var(--text);margin-top:.35rem}
        .facts{display:flex;flex-wrap:wrap;gap:1rem 2.5rem;margin:1.5rem 0 0;font-size:.9375rem}
        .facts dt{color:var(--quiet);font-size:.8125rem}
        .facts dd{margin:0}
        .tally{margin:1.5rem 0 2.5rem}
        .tally>svg{display:block;width:100%;height:.625rem;border-radius:.3125rem}
        .tally ul{display:flex;flex-wrap:wrap;gap:.25rem 1.75rem;list-style:none;padding:0;margin-top:.6rem;font-size:.9375rem}
        .tally b{font-variant-numeric:tabular-nums}

        main>section{margin-bottom:3rem}
        main h2{font-size:1.375rem;font-weight:650;margin-bottom:.35rem}
        main h2+p{color:var(--quiet);margin-bottom:1rem;max-width:46rem}
        .todo{list-style:none;padding:0;display:grid;gap:.875rem;margin-top:1rem}
        .todo>li{border:1px solid var(--line);border-left:.3125rem solid var(--mark);border-radius:.375rem;padding:.875rem 1.125rem}
        .todo .v-failure,.complaint.v-failure{--mark:var(--failure);--tint:var(--failure-tint)}
        .todo .v-warning,.complaint.v-warning{--mark:var(--warning);--tint:var(--warning-tint)}
        li.v-failure{--mark:var(--failure)}li.v-warning{--mark:var(--warning)}
        .todo>li,.complaint{color:var(--text)}
        .todo h3{font-size:1.0625rem;font-weight:600;display:flex;gap:.75rem;justify-content:space-between;flex-wrap:wrap}
        .todo .of{font-size:.8125rem;font-weight:400;color:var(--quiet);margin-left:.35em}
        .todo ul{padding-left:1.15rem;margin:.35rem 0}
        .todo p{margin-top:.35rem}
        .cure{display:grid;grid-template-columns:auto 1fr;gap:.6rem}
        .cure b{font-weight:600}
        .reason{white-space:pre-line}

        .scroll{overflow-x:auto;margin:.75rem 0}
        table{border-collapse:collapse;font-size:.9375rem;min-width:100%}
        table.tight{min-width:0}
        caption{text-align:left;color:var(--quiet);font-size:.875rem;padding:0 0 .35rem}
        th,td{overflow-wrap:break-word;text-align:left;vertical-align:top;padding:.4rem .75rem .4rem 0;border-bottom:1px solid var(--line)}
        thead th{font-weight:600;font-size:.8125rem;color:var(--quiet);border-bottom-color:var(--quiet);vertical-align:bottom}
        tbody th{font-weight:600}
        .matrix th,.matrix td{white-space:nowrap}
        .number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
        td:last-child,th:last-child{padding-right:.25rem}
        td bdi,th bdi{unicode-bidi:isolate}
        .center{text-align:center;padding-left:.4rem;padding-right:.4rem}
        table.grid{min-width:min(24rem,100%)}
        .spread tbody th{white-space:nowrap}
        .spread th,.spread td{padding-right:.55rem}
        .grid td,.grid th{padding:.35rem .6rem}
        .grid tbody th,.grid thead th:first-child{padding-left:0}
        .grid td{border:1px solid var(--line)}
        .heat{position:relative;background:linear-gradient(var(--chart),var(--chart)) left bottom/var(--share,0) .1875rem no-repeat}
        .same{background:var(--surface)}

        .test{border-top:1px solid var(--line)}
        .test:last-of-type{border-bottom:1px solid var(--line)}
        .test>summary{display:grid;grid-template-columns:9.25rem minmax(0,1fr) auto;gap:.75rem;align-items:baseline;
          padding:.6rem 0;cursor:pointer;list-style:none}
        .test>summary::-webkit-details-marker{display:none}
        .test>summary:hover{background:var(--surface)}
        .test h3{font-size:1rem;font-weight:600;display:inline}
        .test h3+.short{color:var(--quiet);margin-left:.75em;font-size:.9375rem}
        .test[open]>summary .short{display:none}
        .test .time{font-size:.8125rem;color:var(--quiet);font-variant-numeric:tabular-nums;white-space:nowrap}
        .test .time::after{content:" ▸";display:inline-block;width:1.1em;text-align:right}
        .test[open]>summary .time::after{content:" ▾"}
        .body{padding:0 0 1.25rem 10rem}
        .body>p.quiet{max-width:46rem}
        .complaint{background:var(--tint);border-radius:.375rem;padding:.625rem .875rem;margin:.625rem 0}
        .complaint p+p,.complaint ul+p,.complaint p+ul{margin-top:.25rem}
        .complaint ul{padding-left:1.6rem}
        .complaint .who,.todo .who{font-weight:600}
        .more{margin-top:.75rem;font-size:.9375rem}
        .more>summary{cursor:pointer;color:var(--link)}
        .chart{display:block;width:12rem;height:1.25rem;color:var(--chart)}
        .axis{display:block;width:12rem;height:1rem;color:var(--quiet);font-size:14px}
        footer{border-top:1px solid var(--line);padding-top:1rem;font-size:.8125rem;color:var(--quiet)}

        @media screen and (max-width:56rem){
          .page{grid-template-columns:minmax(0,1fr);padding:1.25rem 1rem 3rem}
          nav{position:static;margin-bottom:2rem}
          nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem}
          .test>summary{grid-template-columns:minmax(0,1fr) auto}
          .test>summary .verdict{grid-column:1/-1}
          .body{padding-left:0}
        }
        @media (forced-colors:active){.tally>svg,.chart{forced-color-adjust:none}.banner,.todo>li{border-color:CanvasText}}
        """

    /// Light on paper whatever the screen is, and unfolded what has more to show than its line: paper cannot be clicked. Lists that repeat a
    /// square stay out.
    private static let print = """

        @media print{
          @page{size:A4;margin:16mm 14mm 18mm;
            @bottom-right{content:counter(page) " / " counter(pages);font:8pt system-ui,sans-serif;color:#59636e}}
          :root{color-scheme:light;PALETTE}
          html{font-size:10.5pt}
          body{print-color-adjust:exact;-webkit-print-color-adjust:exact}
          .page{display:block;padding:0;max-width:none}
          nav,.skip{display:none}
          a{color:inherit;text-decoration:none}
          details.test:not(.slim)::details-content{content-visibility:visible;display:block;height:auto}
          .more{display:none}
          .test .time::after,.test[open]>summary .time::after{content:""}
          .test>summary{grid-template-columns:9.5rem minmax(0,1fr) auto}
          .body{padding-left:0}
          .chart,.axis{width:9rem}
          .scroll{overflow:visible}
          table{font-size:.8125rem}
          th[scope=row]{min-width:4.5rem}
          .matrix td,.matrix th{white-space:normal}
          .matrix th[scope=row]{white-space:nowrap;min-width:5.5rem}
          th[scope=row],td:not(.number){white-space:normal;overflow-wrap:anywhere}
          h2,h2+p,h3,caption,summary,thead,.body>p.quiet{break-after:avoid}
          h2+p,.todo>li,.complaint,.slim,.grid,tr,.tally,.facts{break-inside:avoid}
          tbody tr:first-child{break-after:avoid}
          tbody tr:last-child{break-before:avoid}
          thead{display:table-header-group}
          main>section{margin-bottom:1.75rem}
        }
        """
}
