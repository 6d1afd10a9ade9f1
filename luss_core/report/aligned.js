// Hands what stands in this file to the page that loaded it. Pages on a disk may not read each other's files; they may
// send each other messages, and that page takes data and nothing that runs.
"use strict";
parent.postMessage({ aligned: JSON.parse(document.getElementById("data").textContent) }, "*");
