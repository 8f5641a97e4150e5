import { Dense, LSTM, Sequential, setSeed } from 'hiddenstate'
const [N, T, D, H] = [1024, 50, 32, 256]
const x = { data: Float32Array.from({ length: N * T * D }, (_, i) => Math.sin(i * 0.7)), shape: [N, T, D] }
const y = { data: Float32Array.from({ length: N }, (_, i) => Math.cos(i)), shape: [N, 1] }
let due, log = []
function tick(){ const now=performance.now(); log.push([now-due, now]); due=now+1; t=setTimeout(tick,1)}
const m0=new Sequential([new LSTM(H, { inputShape: [T, D] }), new Dense(1)]); 
due=performance.now()+1; let t=setTimeout(tick,1)
await new Promise(r=>setTimeout(r,200))
const a=performance.now()
m0.compile({ loss: 'mse', optimizer: 'adam' })
console.log('compile', performance.now()-a)
const b=performance.now()
const p=m0.fit(x,y,{nbEpoch:1,verbose:0})
console.log('fit sync', performance.now()-b)
await p
clearTimeout(t)
console.log('fit', performance.now()-b)
console.log(log.filter(l=>l[0]>2&&l[1]>a).map(l=>`${l[0].toFixed(1)}@${(l[1]-b).toFixed(0)}`).join(' '))
