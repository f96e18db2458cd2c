#pragma once

namespace entrain::evaluation {

/// The style sheet of the report: dark text on white, system fonts, legible at 400 pixels and on paper.
inline constexpr const char* kReportStyle = R"(
:root{color-scheme:light;--ink:#1b1f24;--soft:#57606a;--rule:#d8dee4;--pre:#0072b2;--scr:#c24e00}
*{box-sizing:border-box}
body{margin:0;background:#fff;color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1020px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:2rem;line-height:1.2;letter-spacing:-.015em;margin:0 0 .4rem}
h2{font-size:1.3rem;line-height:1.3;margin:2.8rem 0 .5rem}
h3{font-size:1rem;margin:1.6rem 0 .4rem}
p{margin:.4rem 0 .9rem;max-width:46rem}
.lead{font-size:1.1rem;color:var(--soft)}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:16px;margin:1.8rem 0 0}
.card{border:1px solid var(--rule);border-left:4px solid var(--pre);border-radius:6px;padding:14px 18px 4px;break-inside:avoid}
.card p{margin:.2rem 0 .7rem;font-size:.93rem}
.card .where{color:var(--soft);font-weight:600}
.pair{display:flex;flex-wrap:wrap;gap:6px 28px;font-variant-numeric:tabular-nums}
.card .pair span{font-size:1.9rem;font-weight:650;line-height:1.15}
h3 small{font-size:.93rem;font-weight:400;color:var(--soft);margin-left:.3em}
.pair small{display:block;font-size:.8rem;font-weight:400;color:var(--soft)}
.pre{color:var(--pre)}.scr{color:var(--scr)}.bad{color:#b00020}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:24px 32px}
figure{margin:.6rem 0 0;max-width:600px;break-inside:avoid}
figcaption{font-size:.93rem;color:var(--soft);margin-bottom:.3rem}
figcaption b{color:var(--ink);font-size:1rem;margin-right:.4em}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;fill:#3d444d}
svg text.label{font-weight:600;font-size:13.5px}
svg .below,svg .axis,svg .halo{fill:#57606a}
svg .grid line{stroke:#e4e8ec}
svg .grid .tick{stroke:#8c959f}
svg .chance{stroke:#57606a;stroke-dasharray:2 3}
.wide{overflow-x:auto;margin:.3rem 0 1rem}
table{border-collapse:collapse;font-size:.93rem;font-variant-numeric:tabular-nums}
th,td{padding:7px 12px 7px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule);white-space:nowrap}
thead th{border-bottom:2px solid var(--ink);font-weight:600;vertical-align:bottom}
.n{text-align:right}
td small,th small{display:block;color:var(--soft);font-size:.82em;font-weight:400}
small.in{display:inline}
.fine{font-size:.82rem}.fine .path{white-space:normal;overflow-wrap:anywhere;min-width:9rem;max-width:16rem}
li{margin:.35rem 0;max-width:46rem}
footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--rule);color:var(--soft);font-size:.88rem;max-width:46rem}
@media(max-width:560px){main{padding:24px 16px 40px}h1{font-size:1.6rem}.pair{gap:6px 20px}.card .pair span{font-size:1.6rem}th,td{padding-right:9px}svg text,svg text.label{font-size:15px}}
@media print{body{font-size:11pt}main{max-width:none;padding:0}.wide{overflow:visible}.fine{font-size:7pt}.fine th,.fine td{white-space:normal;padding-right:6px}h2,h3{break-after:avoid}}
)";

}  // namespace entrain::evaluation
