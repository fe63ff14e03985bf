const answer = await fetch("/api/hello");
document.getElementById("app").textContent = (await answer.json()).message;
